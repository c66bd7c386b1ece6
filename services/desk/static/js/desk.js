// The desk's own script: what the page's forms and links do not do alone. Without it every page still works.
import { lookAhead, paneOf, taken } from "./ahead.js";
import { keys } from "./keys.js";
import { composer } from "./composer.js";
import { live } from "./live.js";
import { panes } from "./panes.js";
import { suggest } from "./suggest.js";
import { bell } from "./bell.js";
import { $, $$, on, page, parse, q, renew, say, visible, wide } from "./tools.js";

const root = document.documentElement;
root.classList.add("scripted");

// Theme and density at once; the form saves them for the next page.
on("change", ({ target }) => {
  const form = target.form;
  if (form?.matches("[data-look]")) {
    root.dataset[target.name] = target.value;
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
  } else if (target.matches("[data-submit]")) form?.requestSubmit();
});

on("click", (event) => {
  const target = event.target;
  for (const open of $$("details.drop[open]")) if (!open.contains(target)) open.open = false;
  if (target.closest("[data-print]")) print();
  if (target.closest("[data-close]")) target.closest(".flash")?.remove();
  const earlier = target.closest("[data-cmd=link]");
  if (earlier) {
    event.preventDefault();
    navigator.clipboard?.writeText(earlier.href).then(() => say(earlier.textContent));
  }
  const row = target.closest("a[data-beside]");
  if (row && !(event.ctrlKey || event.metaKey || event.shiftKey) && event.button === 0) openRow(event, row);
});

// A ticket opens beside the list where there is room; else the link is followed.
function openRow(event, row) {
  const pane = $("ticket");
  if (!visible(pane?.firstElementChild)) return;
  event.preventDefault();
  const box = row.closest("article, .row"), main = box.querySelector("[data-row]");
  if (row === main && main.ariaCurrent) return;
  q("#rows [aria-current]")?.removeAttribute("aria-current");
  main.ariaCurrent = "true";
  box.classList.remove("unread");
  history.pushState({ htmx: true }, "", row.href);
  load(row.href, pane);
}

// The newest wish wins: an answer that comes after another row was chosen is dropped.
let wish = null;
async function load(url, pane) {
  wish?.abort();
  const mine = (wish = new AbortController());
  busyBar(1);
  const answer = (await taken(url)) ?? (await paneOf(url, { signal: mine.signal }));
  busyBar(-1);
  if (!answer || mine.signal.aborted) return;
  if (answer.redirected || !answer.ok) return location.assign(url);
  const found = parse(await answer.text().catch(() => ""));
  const made = found.getElementById("ticket");
  if (!made || mine.signal.aborted) return;
  pane.replaceWith(document.adoptNode(made));
  htmx.process(made);
  document.title = found.title;
  document.dispatchEvent(new Event("htmx:after:swap"));
  lookAhead();
}

// Blocks of the context pane stay as the person left them.
const folds = JSON.parse(localStorage.getItem("folds") ?? "{}");
const fold = () => {
  for (const block of $$("[data-fold]")) if (block.dataset.fold in folds) block.open = folds[block.dataset.fold];
};
on("toggle", ({ target }) => {
  if (target.dataset?.fold) {
    folds[target.dataset.fold] = target.open;
    localStorage.setItem("folds", JSON.stringify(folds));
  }
  if (target.matches?.("[popover], details.drop") && (target.open || target.matches(":popover-open"))) {
    target.querySelector("input:not([type=hidden],[type=radio]), select")?.focus();
  }
}, true);

// A conversation opens at the first unread message, else at its end.
let shown = "", left = "";
function arrive() {
  fold();
  const talk = $("talk"), scroll = $("scroll");
  const place = talk && talk.dataset.number + location.hash;
  if (scroll && place !== shown) {
    const target = location.hash.length > 1 && $(location.hash.slice(1));
    const seam = target || $("new");
    if (target) target.classList.add("here");
    if (scroll.scrollHeight > scroll.clientHeight + 1) {
      scroll.scrollTop = seam ? seam.offsetTop - scroll.offsetTop - 12 : scroll.scrollHeight;
    } else if (!wide()) (seam || scroll.querySelector(".message:last-of-type"))?.scrollIntoView({ block: "center" });
  }
  shown = place;
  const leaving = q("#thread .leaving"); // one's own answer, with its undo, is shown once
  const said = leaving?.elements.reply_id.value;
  if (said && said !== left) leaving.closest(".message")?.scrollIntoView({ block: "nearest" });
  left = said;
  const flash = q("[data-say]");
  if (flash?.matches(".flash")) say(flash.firstElementChild.textContent);
  q(".held, .notice[autofocus], #errors")?.focus();
}

// Seconds left to undo: the server counts; this only shows it.
setInterval(() => {
  for (const box of $$("[data-seconds]")) {
    const left = (box.dataset.seconds -= 1);
    if (left > 0) box.querySelector("[data-left]").textContent = `${left} s`;
    else box.remove();
  }
}, 1000);

let running = 0;
const busyBar = (step) => {
  running = Math.max(0, running + step);
  q(".busy-bar").classList.toggle("shown", running > 0);
};
on("htmx:before:request", () => busyBar(1));
on("htmx:finally:request", () => busyBar(-1));
on("htmx:after:swap", () => arrive());
// Signed out meanwhile: the sign-in page must not be put into a pane. What was typed is kept by `composer`.
on("htmx:before:response", (event) => {
  const url = event.detail.ctx.response?.raw?.url;
  if (url && new URL(url).pathname === "/login") {
    event.preventDefault();
    location.assign(url);
  }
});

arrive();
suggest();
panes();
bell();
keys();
composer();
live();
lookAhead();

const every = q("[data-every]");
if (every) {
  setInterval(async () => {
    if (!document.hidden && !q("details[open], dialog[open]") && !getSelection().toString()) renew("page", await page(location.href));
  }, every.dataset.every * 1000);
}
