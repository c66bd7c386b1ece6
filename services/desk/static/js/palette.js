// The palette: acts of this page, places, then tickets and people from the server. A combobox in a dialog.
import { $, $$, choices, element, options, q, visible } from "./tools.js";

let offers = [], chosen = 0, runOffer, offerTimer = 0, offersAsked = 0;
const paletteBox = () => $("palette-box");

function known() {
  const acts = [];
  for (const line of $$("#keys [data-name]")) {
    const name = line.dataset.name, node = q(`[data-cmd~="${name}"]`);
    if (name === "palette" || name === "open" || name === "out") continue;
    if (node || name === "sheet" || name === "search") {
      acts.push({ label: line.querySelector("dd").textContent, key: line.dataset.key, go: () => runOffer(name) });
    }
  }
  for (const link of $$("#views a, .tabs a, .side a")) {
    acts.push({ label: link.firstElementChild?.tagName === "SPAN" ? link.firstElementChild.textContent : link.textContent, go: () => location.assign(link.href) });
  }
  return acts;
}

function drawOffers() {
  const list = $("palette-list");
  options(paletteBox(), list, offers, chosen, pickOffer);
  if (!offers.length) list.append(element("li", { role: "option", "aria-disabled": "true" }, $("palette").dataset.none));
}

function pickOffer(index) {
  const one = offers[index];
  $("palette").close();
  if (one) one.go();
  else location.assign(`/search?q=${encodeURIComponent(paletteBox().value)}`);
}

function narrow() {
  const words = paletteBox().value.toLowerCase().split(/\s+/).filter(Boolean);
  offers = known().filter((one) => words.every((word) => one.label.toLowerCase().includes(word))).slice(0, 12);
  chosen = 0;
  drawOffers();
  clearTimeout(offerTimer);
  if (words.join("").length > 1) offerTimer = setTimeout(askOffers, 150);
}

async function askOffers() {
  const turn = ++offersAsked;
  const answer = await choices("/palette", { q: paletteBox().value });
  if (turn !== offersAsked) return;
  for (const one of answer) offers.push({ label: one.label, go: () => location.assign(one.href) });
  drawOffers();
}

export function palette(runner) {
  const dialog = $("palette");
  if (dialog.open) return dialog.close();
  runOffer = runner;
  const back = document.activeElement;
  dialog.addEventListener("close", () => visible(back) && document.activeElement === document.body && back.focus(), { once: true });
  dialog.showModal();
  paletteBox().value = "";
  narrow();
  paletteBox().focus();
  if (dialog.dataset.ready) return;
  dialog.dataset.ready = "1";
  paletteBox().addEventListener("input", narrow);
  paletteBox().addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) chosen = (chosen + by + offers.length) % Math.max(1, offers.length), drawOffers();
    else if (event.key === "Enter") pickOffer(chosen);
    else return;
    event.preventDefault();
  });
}
