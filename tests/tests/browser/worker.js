// As Mpush's own worker: shows what it is told by push, and says that it has.
const asked = new URL(self.location).searchParams;

self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));

self.addEventListener("push", event => event.waitUntil((async () => {
  const { cmd, data } = event.data.json();
  await self.registration.showNotification(data.message.text, { body: data.message.desp, tag: data.mid });
  const answer = await fetch(asked.get("server"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ cmd: "MESSAGE_WEBPUSH_CALLBACK", auth: asked.get("auth"), data: { mid: data.mid } }),
  });
  const shown = await self.registration.getNotifications();
  const said = shown.map(({ title, body }) => ({ cmd, title, body, answered: answer.status }));
  for (const page of await self.clients.matchAll()) page.postMessage(said);
})()));
