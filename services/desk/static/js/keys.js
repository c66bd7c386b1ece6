// The one dispatcher of keys. Silent while one types, with Ctrl, Alt, AltGr or Meta, and during composition; it reads the
// character typed, not the key's place. Keys and words come from the sheet the server wrote.
import { palette } from "./palette.js";
import { $, $$, on, post, q, visible, wide } from "./tools.js";

const TYPED = "input:not([type=checkbox],[type=radio],[type=button],[type=submit]), textarea, select, [contenteditable]";
const bound = new Map();
let pending = "", keyTimer = 0;

export const rowLinks = () => [...$$("#rows a[data-row], .rows a[data-row], main table a[data-row]")].filter(visible);
const messages = () => [...$$("#thread .message")].filter(visible);
const command = (name) => [...$$(`[data-cmd~="${name}"]`)].find((node) => visible(node) || node.closest("details:not([open])"));

function within(list) {
  const at = list.findIndex((node) => node === document.activeElement || node.contains(document.activeElement));
  return at >= 0 ? at : list.findIndex((node) => node.ariaCurrent === "true" || node.classList.contains("here"));
}

function step(by) {
  const list = rowLinks();
  if (!list.length) return;
  const at = within(list);
  const row = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  for (const other of list) other.tabIndex = other === row ? 0 : -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  if (q("#ticket.shown") && row.matches("[data-beside]")) row.click();
}

function message(by) {
  const list = messages();
  const node = list[Math.min(list.length - 1, Math.max(0, within(list) + by))];
  node?.focus();
  node?.scrollIntoView({ block: "nearest" });
}

function out() {
  const drop = q("details.drop[open]");
  if (drop) return (drop.open = false), drop.querySelector("summary").focus(), true;
  const full = q(".composer.full");
  if (full) return full.classList.remove("full"), full.querySelector("summary").focus(), true;
  const active = document.activeElement;
  if (active?.closest(".composer")) return $("title")?.focus(), true;
  if (active?.matches(TYPED)) return active.blur(), true;
  if (q("#ticket.shown")) {
    const row = rowLinks().find((one) => one.ariaCurrent === "true");
    if (row) return row.focus(), true;
    const back = q(".phone-back a");
    if (visible(back)) return back.click(), true;
  }
  return false;
}

function openComposer(node) {
  const box = node.closest("details");
  box.open = true;
  if (!wide()) box.classList.add("full");
  box.querySelector("textarea").focus();
}

const RUN = {
  next: () => step(1),
  previous: () => step(-1),
  "next-message": () => message(1),
  "previous-message": () => message(-1),
  quoted: () => {
    const folds = $$(".quoted");
    const open = [...folds].some((one) => !one.open);
    for (const one of folds) one.open = open;
  },
  search: () => {
    const box = [$("q"), $("quick")].find(visible);
    if (box) box.focus(), box.select();
    else location.assign("/search");
  },
  sheet: () => $("keys").showModal(),
  palette: () => palette(run),
  context: () => {
    const pane = $("context");
    if (!pane) return;
    if (getComputedStyle(pane).position === "fixed") pane.togglePopover();
    else post("/profile/look", { context: q(".panes").classList.toggle("shut") ? 0 : 304 });
  },
  reply: () => {
    const node = nearest("reply");
    if (node?.closest(".composer")) openComposer(node);
    else node?.click();
  },
  note: () => command("note") && openComposer(command("note")),
  original: () => open(nearest("original")?.href, "_blank", "noopener"),
};

// In a stream of posts an act means the post in focus.
function nearest(name) {
  const here = document.activeElement?.closest(".post, .row");
  return here?.querySelector(`[data-cmd~="${name}"]`) ?? command(name);
}

export function run(name) {
  if (RUN[name]) return RUN[name]();
  const node = nearest(name);
  if (!node) return;
  if (node.matches("summary")) {
    node.parentElement.open = true;
    const first = node.parentElement.querySelector("input:not([type=hidden]), select, .menu-list button, .menu-list a");
    first?.focus();
    first?.select?.();
  } else if (!visible(node) && node.matches("button[type=submit], button[name]")) node.form.requestSubmit(node);
  else node.click();
}

function listen(event) {
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const key = event.key, mod = event.ctrlKey || event.metaKey;
  const target = event.composedPath()[0];
  if (mod && !event.altKey && !event.shiftKey && key.toLowerCase() === "k") {
    event.preventDefault();
    return palette(run);
  }
  if (mod && key === "Enter" && target.form?.dataset.composer) {
    event.preventDefault();
    const solve = event.shiftKey && target.form.querySelector('[data-cmd="send-solve"]');
    return target.form.requestSubmit(solve || target.form.querySelector("[data-send]"));
  }
  if (q("dialog[open]")) return;
  if (key === "Escape") {
    if (!q(":popover-open") && out()) event.preventDefault();
    return;
  }
  if (mod || event.altKey || event.getModifierState("AltGraph") || target.matches?.(TYPED)) return;
  if (document.documentElement.dataset.keys === "off") return;
  if (key === "Enter" && document.activeElement?.matches("#rows a[data-row]") && wide()) {
    const row = document.activeElement;
    if (row.ariaCurrent === "true") event.preventDefault(), $("title")?.focus();
    else on("htmx:after:swap", () => $("title")?.focus(), { once: true });
    return;
  }
  if (key.length !== 1) return;
  const typed = pending ? `${pending} ${key}` : key;
  pending = "";
  clearTimeout(keyTimer);
  const name = bound.get(typed);
  if (name) {
    event.preventDefault();
    run(name);
  } else if ([...bound.keys()].some((one) => one.startsWith(`${typed} `))) {
    pending = typed;
    keyTimer = setTimeout(() => (pending = ""), 1200);
  }
}

export function keys() {
  for (const line of $$("#keys [data-key]")) {
    if (line.dataset.key && !bound.has(line.dataset.key)) bound.set(line.dataset.key, line.dataset.name);
  }
  on("keydown", listen);
  on("click", ({ target }) => {
    const node = target.closest("[data-cmd]");
    if (node?.dataset.cmd === "palette") palette(run);
    else if (node?.matches(".composer > summary") && !wide()) setTimeout(() => openComposer(node));
    else if (target.id === "keys" || target.id === "palette") target.close(); // a click on the backdrop
  });
}
