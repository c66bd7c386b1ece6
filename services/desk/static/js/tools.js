// Small things the other modules share.
export const wide = () => matchMedia("(width >= 640px)").matches;
export const visible = (node) => !!node && node.getClientRects().length > 0;
export const clock = (time = new Date()) => time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const fill = (text, ...values) => text.replace(/\{\}/g, () => values.shift());

let last = 0, waiting = "";
// Tells people who listen to the page; at most once in five seconds, what waits is joined.
export function say(text, loud = false) {
  if (loud) return void (document.getElementById("assertive").textContent = text);
  waiting = waiting ? `${waiting}. ${text}` : text;
  const wait = Math.max(0, last + 5000 - Date.now());
  if (waiting === text) setTimeout(() => {
    last = Date.now();
    document.getElementById("polite").textContent = waiting;
    waiting = "";
  }, wait);
}

export const csrf = () => document.querySelector("meta[name=csrf]")?.content ?? "";
export const post = (url, fields) => {
  const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
  body.set("csrf", csrf());
  return fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
};
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
