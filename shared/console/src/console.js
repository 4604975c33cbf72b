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

// parts of a page that are looked at again until nothing changes any more; the one that somebody is in stays as it is
const live = () => [...document.querySelectorAll("[data-live]")];
const isHeld = (part) => part.contains(document.activeElement);
const renew = async () => {
  const parts = live().filter((part) => !isHeld(part));
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

// one look at a time, and one more if it was asked for meanwhile
let looking = false;
let asked = false;
const look = async () => {
  asked = true;
  if (looking) return;
  looking = true;
  while (asked) {
    asked = false;
    await renew().catch(() => {});
  }
  looking = false;
  listen();
};

// where the server tells of changes, it is heard for as long as somebody looks: browsers open few connections to a host
let stream = null;
const listen = () => {
  const at = document.documentElement.dataset.changes;
  const wanted = at && !document.hidden && live().length > 0;
  if (wanted && !stream) {
    stream = new EventSource(at);
    stream.addEventListener("open", look); // for what changed before
    stream.addEventListener("changed", look);
  } else if (!wanted && stream) {
    stream.close();
    stream = null;
  }
};

// where it does not, or cannot be heard, a page looks every few seconds
const isTold = () => stream?.readyState === 1;
const again = () => {
  const [part] = live();
  if (part) setTimeout(() => (isTold() && !live().some(isHeld) ? Promise.resolve() : look()).finally(again), Number(part.dataset.live) * 1000);
};

localize(document);
document.addEventListener("visibilitychange", listen);
listen();
again();
