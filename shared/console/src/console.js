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

// a part of a page that is looked at again every few seconds, as long as somebody looks
const renew = async (part) => {
  if (document.hidden || part.contains(document.activeElement)) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh) return;
  localize(fresh);
  if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
};

localize(document);
for (const part of document.querySelectorAll("[data-live]")) {
  const seconds = Number(part.dataset.live);
  setInterval(() => renew(part).catch(() => {}), seconds * 1000);
}
