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
// The answer, or nothing when there was none.
export const post = (url, fields) => {
  const body = fields instanceof FormData ? fields : new URLSearchParams(fields);
  body.set("csrf", csrf());
  return fetch(url, { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
};
// An answer that is what was asked for: no error, not the sign-in page; else nothing.
export const get = async (url, headers) => {
  const answer = await fetch(url, { headers }).catch(() => null);
  return answer?.ok && !answer.redirected ? answer : null;
};
export const parse = (html) => new DOMParser().parseFromString(html, "text/html");
// A page of ours, or a piece of one, fetched by itself: nobody acted. Empty when it could not be had.
export const page = async (url) => parse((await (await get(url, { "HX-Request": "true", "X-Background": "refresh" }))?.text()) ?? "");
export const morph = (node, made) => htmx.swap({ text: made.outerHTML, target: node, swap: "outerMorph", sourceElement: node });
export const renew = (id, made) => $(id) && made.getElementById(id) && morph($(id), made.getElementById(id));
export const counted = (node, count) => (node.hidden = !count, node.textContent = count === 1 ? node.dataset.one : fill(node.dataset.many, count));
// What a list to choose from is made of.
export const choices = async (url, values) => (await get(`${url}?${new URLSearchParams(values)}`, { Accept: "application/json" }))?.json() ?? [];
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

// What a field offers to choose from: arrows walk, Enter and Tab choose, Escape shuts; in a dialog the last two stay its own.
// `list` finds the list of a field, `pick` does what was chosen, `drawn` hears what stands there now. Of answers the newest question's counts.
export function combobox(list, pick, drawn, first = 0) {
  let box = null, found = [], at = 0, turn = 0;
  const draw = () => {
    const place = list(box);
    place.replaceChildren(...found.map((one, index) => {
      const item = element("li", { role: "option", id: `${place.id}-${index}`, "aria-selected": index === at }, element("span", {}, one.label));
      if (one.key) item.append(element("kbd", {}, one.key));
      if (one.count) item.append(element("span", { class: "muted num" }, one.count.toLocaleString()));
      item.addEventListener("mousedown", (event) => (event.preventDefault(), pick(one, box)));
      return item;
    }));
    box.setAttribute("aria-activedescendant", found[at] ? `${place.id}-${at}` : "");
    drawn?.(box, found[at] ?? found[0]);
    place.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const show = (field, offers, chosen = first) => ([box, found, at] = [field, offers, chosen], draw());
  const shut = () => (turn++, box && show(box, []));
  const ask = async (field, url, values, made = (offers) => offers) => {
    const mine = ++turn;
    at = first;
    await new Promise((done) => setTimeout(done, 150));
    const offers = mine === turn ? await choices(url, values) : [];
    if (mine === turn) show(field, made(offers), at);
  };
  const loose = ({ target }) => target === box && !box.closest("dialog");
  on("focusout", (event) => loose(event) && shut());
  on("keydown", (event) => {
    if (event.target !== box || !found.length || event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) at = (at + by + (at < 0 && by < 0) + found.length) % found.length, draw();
    else if (at >= 0 && (event.key === "Enter" || (event.key === "Tab" && loose(event)))) pick(found[at], box);
    else if (event.key === "Escape" && loose(event)) shut();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  return { show, shut, ask };
}
