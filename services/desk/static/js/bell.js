// Sounds and notices on the screen, each for what the person chose. One tab rings for the whole browser: the one looked at last.
import { $, choices, on } from "./tools.js";

const wants = (kind, scope) => (document.body.dataset[kind] ?? "").split(" ").includes(scope);
let holds = !navigator.locks, rung = 0;

function hold(options) {
  const kept = () => ((holds = true), new Promise(() => {}));
  navigator.locks.request("ascolto-bell", options, kept).catch(({ name }) => ((holds = false), name === "AbortError" && hold({}))); // taken by the tab looked at
}

// A browser that was not touched yet plays nothing; the profile's button tries it.
function sound(scope) {
  if (Date.now() - rung < 3000) return;
  rung = Date.now();
  $(scope === "alerts" ? "sound-alert" : "sound-bell").play().catch(() => null);
}

export async function ring({ rings, kind, id }) {
  if (!rings || !holds || (!navigator.locks && document.hidden)) return;
  if (wants("sounds", rings)) sound(rings);
  if (!wants("notices", rings) || document.hasFocus() || window.Notification?.permission !== "granted") return;
  const [one] = await choices("/live/notice", { kind, id });
  if (!one) return;
  new Notification(one.title, { body: one.text, tag: id }).onclick = () => (focus(), location.assign(one.href));
}

export function bell() {
  if (!holds) hold({}), addEventListener("focus", () => holds || hold({ steal: true }));
  on("click", async ({ target }) => {
    const button = target.closest("[data-allow]");
    if (!button) return;
    sound("mine");
    const answer = (await window.Notification?.requestPermission()) ?? "denied";
    button.nextElementSibling.textContent = button.dataset[answer] ?? "";
  });
}
