// The service worker of a browser that has subscribed at the console: shows what is pushed to it.
"use strict";

self.addEventListener("push", (event) => {
  const { data = {} } = event.data?.json() ?? {};
  const { text = "", desp = "", extra = {} } = data.message ?? {};
  event.waitUntil(self.registration.showNotification(text, { body: desp, tag: data.mid, data: { url: extra.scheme } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data ?? {};
  if (/^https?:/.test(url)) event.waitUntil(self.clients.openWindow(url));
});
