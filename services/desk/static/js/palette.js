// The palette: acts of this page, places, then tickets and people from the server. A combobox in a dialog.
import { element, visible } from "./tools.js";

let options = [], chosen = 0, run, timer = 0, asked = 0;
const box = () => document.getElementById("palette-box");

function known() {
  const acts = [];
  for (const line of document.querySelectorAll("#keys [data-name]")) {
    const name = line.dataset.name, node = document.querySelector(`[data-cmd="${name}"]`);
    if (name === "palette" || name === "open" || name === "out") continue;
    if (node || name === "sheet" || name === "search") {
      acts.push({ label: line.querySelector("dd").textContent, key: line.dataset.key, go: () => run(name) });
    }
  }
  for (const link of document.querySelectorAll("#views a, .tabs a, .side a")) {
    acts.push({ label: link.firstElementChild?.tagName === "SPAN" ? link.firstElementChild.textContent : link.textContent, key: "", go: () => location.assign(link.href) });
  }
  return acts;
}

function draw() {
  const list = document.getElementById("palette-list");
  list.replaceChildren(...options.map((one, index) => {
    const item = element("li", { role: "option", id: `palette-${index}`, "aria-selected": index === chosen }, element("span", {}, one.label));
    if (one.key) item.append(element("kbd", {}, one.key));
    item.addEventListener("click", () => pick(index));
    return item;
  }));
  if (!options.length) list.append(element("li", { role: "option", "aria-disabled": "true" }, document.getElementById("palette").dataset.none));
  box().setAttribute("aria-activedescendant", options.length ? `palette-${chosen}` : "");
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
}

function pick(index) {
  const one = options[index];
  document.getElementById("palette").close();
  if (one) one.go();
  else location.assign(`/search?q=${encodeURIComponent(box().value)}`);
}

function narrow() {
  const words = box().value.toLowerCase().split(/\s+/).filter(Boolean);
  options = known().filter((one) => words.every((word) => one.label.toLowerCase().includes(word))).slice(0, 12);
  chosen = 0;
  draw();
  clearTimeout(timer);
  if (words.join("").length > 1) timer = setTimeout(ask, 150);
}

async function ask() {
  const turn = ++asked;
  const answer = await fetch(`/palette?q=${encodeURIComponent(box().value)}`, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok || turn !== asked) return;
  for (const one of await answer.json()) options.push({ label: one.label, key: "", go: () => location.assign(one.href) });
  draw();
}

export function open(runner) {
  const dialog = document.getElementById("palette");
  if (dialog.open) return dialog.close();
  run = runner;
  const back = document.activeElement;
  dialog.addEventListener("close", () => visible(back) && document.activeElement === document.body && back.focus(), { once: true });
  dialog.showModal();
  box().value = "";
  narrow();
  box().focus();
  if (dialog.dataset.ready) return;
  dialog.dataset.ready = "1";
  box().addEventListener("input", narrow);
  box().addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) chosen = (chosen + by + options.length) % Math.max(1, options.length), draw();
    else if (event.key === "Enter") pick(chosen);
    else return;
    event.preventDefault();
  });
}
