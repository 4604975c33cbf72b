// This browser: a subscription to Web Push, a notification, and a socket to try.
"use strict";

const page = document.getElementById("this-browser");
const tell = (id, text) => { document.getElementById(id).textContent = text; };

// the key that a subscription was made with, as the page has it
const keyOf = (subscription) => btoa(String.fromCharCode(...new Uint8Array(subscription.options.applicationServerKey)))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

// the form goes to the server as any other, with what the browser's subscription says
const subscribe = async (form) => {
  if (!("serviceWorker" in navigator && "PushManager" in window)) return tell("push-said", page.dataset.unable);
  if (await Notification.requestPermission() !== "granted") return tell("push-said", page.dataset.denied);
  await navigator.serviceWorker.register("/console/worker.js", { scope: "/console/" });
  const worker = await navigator.serviceWorker.ready;
  let made = await worker.pushManager.getSubscription();
  if (made && keyOf(made) !== page.dataset.key) { // of another deployment
    await made.unsubscribe();
    made = null;
  }
  made ??= await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: page.dataset.key });
  const { endpoint, keys } = made.toJSON();
  form.elements["params.endpoint"].value = endpoint;
  form.elements["params.p256dh"].value = keys.p256dh;
  form.elements["params.auth"].value = keys.auth;
  form.submit();
};

const push = document.getElementById("push");
if (push) {
  push.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    subscribe(event.target).catch((error) => tell("push-said", String(error)));
  });
}

// a notification of the browser's own, without any push service
document.getElementById("notify").addEventListener("click", async () => {
  if (!("Notification" in window)) return tell("notify-said", page.dataset.unable);
  if (await Notification.requestPermission() !== "granted") return tell("notify-said", page.dataset.denied);
  new Notification("Bellhop", { body: page.dataset.hello });
  tell("notify-said", page.dataset.shown);
});

// a client as Mpush knows it: says who it is, shows what comes, and acknowledges it
const log = document.getElementById("socket-log");
const line = (text) => {
  const item = document.createElement("p");
  item.textContent = text;
  log.append(item);
};
let socket;
document.getElementById("connect").addEventListener("click", () => {
  socket?.close();
  const [token, name] = ["socket-token", "socket-name"].map((id) => document.getElementById(id).value);
  const address = new URL("/", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(address);
  const say = (cmd, data) => { socket.send(JSON.stringify({ cmd, data })); line(`→ ${cmd}`); };
  socket.addEventListener("open", () => say("AUTH", { token, name, group: "" }));
  socket.addEventListener("close", () => line("×"));
  socket.addEventListener("message", ({ data }) => {
    line(`← ${data}`);
    const { cmd, data: { mid } = {} } = JSON.parse(data);
    if (cmd === "MESSAGE") say("MESSAGE_CALLBACK", { mid });
  });
});
