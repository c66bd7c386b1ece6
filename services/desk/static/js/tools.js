// Small things the other modules share.
export const $ = (id) => document.getElementById(id);
export const q = (selector) => document.querySelector(selector);
export const $$ = (selector) => document.querySelectorAll(selector);
export const on = (...what) => document.addEventListener(...what);
export const wide = () => matchMedia("(width >= 640px)").matches;
export const visible = (node) => !!node && node.getClientRects().length > 0;
export const clock = (time = new Date()) => time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const fill = (text, ...values) => text.replace(/\{\}/g, () => values.shift());

let last = 0, waiting = "";
// Tells people who listen to the page; at most once in five seconds, what waits is joined.
export function say(text, loud = false) {
  if (loud) return void ($("assertive").textContent = text);
  waiting = waiting ? `${waiting}. ${text}` : text;
  const wait = Math.max(0, last + 5000 - Date.now());
  if (waiting === text) setTimeout(() => {
    last = Date.now();
    $("polite").textContent = waiting;
    waiting = "";
  }, wait);
}

export const csrf = () => q("meta[name=csrf]").content;
export const post = (url, fields) => {
  const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
  body.set("csrf", csrf());
  return fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
};
// An answer that is what was asked for: no error, not the sign-in page; else nothing.
export const get = async (url, headers) => {
  const answer = await fetch(url, { headers }).catch(() => null);
  return answer?.ok && !answer.redirected ? answer : null;
};
export const parse = (html) => new DOMParser().parseFromString(html, "text/html");
export const morph = (node, html) => htmx.swap({ text: html, target: node, swap: "outerMorph", sourceElement: node });
// What a list to choose from is made of.
export const choices = async (url, values) => (await get(`${url}?${new URLSearchParams(values)}`, { Accept: "application/json" }))?.json() ?? [];
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

// The list of a combobox: options with a key or a count, the chosen one in sight and named to the field.
export function options(field, list, found, at, pick) {
  list.replaceChildren(...found.map((one, index) => {
    const item = element("li", { role: "option", id: `${list.id}-${index}`, "aria-selected": index === at }, element("span", {}, one.label));
    if (one.key) item.append(element("kbd", {}, one.key));
    if (one.count) item.append(element("span", { class: "muted num" }, one.count.toLocaleString()));
    item.addEventListener("mousedown", (event) => (event.preventDefault(), pick(index)));
    return item;
  }));
  field.setAttribute("aria-activedescendant", found[at] ? `${list.id}-${at}` : "");
  list.children[at]?.scrollIntoView({ block: "nearest" });
}
