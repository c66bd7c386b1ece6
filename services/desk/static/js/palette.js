// The palette: acts of this page, places, then tickets and people from the server. A combobox in a dialog.
import { $, $$, combobox, on, q, visible } from "./tools.js";

let runOffer;
const paletteBox = () => $("palette-box");
const offered = combobox(() => $("palette-list"), (one) => {
  $("palette").close();
  if (one.name) runOffer(one.name);
  else location.assign(one.href);
});

function known() {
  const acts = [];
  for (const { dataset: { name, key }, lastElementChild: { textContent: label } } of $$("#keys [data-name]")) {
    if (!/^(palette|open|out)$/.test(name) && (/^(sheet|search)$/.test(name) || q(`[data-cmd~="${name}"]`))) acts.push({ label, key, name });
  }
  for (const link of $$("#views a, .tabs a, .side a")) acts.push({ label: (link.querySelector("span:first-child") ?? link).textContent, href: link.href });
  return acts;
}

function narrow() {
  const asked = paletteBox().value, words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const own = known().filter((one) => words.every((word) => one.label.toLowerCase().includes(word))).slice(0, 12);
  const none = { label: $("palette").dataset.none, href: `/search?q=${encodeURIComponent(asked)}` };
  const joined = (more) => (own.length + more.length ? [...own, ...more] : [none]);
  offered.shut();
  offered.show(paletteBox(), joined([]));
  if (words.join("").length > 1) offered.ask(paletteBox(), "/palette", { q: asked }, joined);
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
}

on("input", ({ target }) => target === paletteBox() && narrow());
