// Comforts of the console; every page works without them.
"use strict";

// times in the reader's own zone
const zoned = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
const localize = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.dateTime;
      time.textContent = zoned.format(at);
    }
  }
};

// parts of a page that are looked at again every few seconds, until nothing changes any more
const live = () => [...document.querySelectorAll("[data-live]")];
const renew = async () => {
  const parts = live().filter((part) => !part.contains(document.activeElement));
  if (document.hidden || parts.length === 0) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    if (!fresh) continue;
    localize(fresh);
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    if (!("live" in fresh.dataset)) delete part.dataset.live;
  }
};
const again = () => {
  const [part] = live();
  if (part) setTimeout(() => renew().catch(() => {}).finally(again), Number(part.dataset.live) * 1000);
};

localize(document);
again();
