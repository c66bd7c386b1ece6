// Completions in the search boxes: fields, then their values with counts. Nothing is chosen until an arrow says so: Enter searches.
import { $, choices, on, options } from "./tools.js";

let hints = [], hintAt = -1, hintTimer = 0, hintTurn = 0;
const listOf = (box) => $(box.getAttribute("aria-controls"));

function drawHints(box) {
  listOf(box).hidden = !hints.length;
  box.setAttribute("aria-expanded", hints.length > 0);
  options(box, listOf(box), hints, hintAt, (index) => insertHint(box, index));
}

function closeHints(box) {
  hintTurn++;
  clearTimeout(hintTimer);
  hints = [];
  hintAt = -1;
  drawHints(box);
}

async function askHints(box) {
  const mine = ++hintTurn, caret = box.selectionStart;
  const answer = caret === box.selectionEnd && box.value ? await choices("/search/suggest", { q: box.value, caret }) : [];
  if (mine !== hintTurn || document.activeElement !== box) return;
  hints = answer;
  hintAt = -1;
  drawHints(box);
}

// The word the caret is in gives way; after a field its values are asked for at once.
function insertHint(box, index) {
  const caret = box.selectionStart, text = hints[index].insert;
  const begin = caret - box.value.slice(0, caret).match(/(?![-(])\S*$/)[0].length;
  const rest = box.value.slice(caret).match(/^\S*/)[0].length;
  const whole = !text.endsWith(":");
  closeHints(box);
  box.setRangeText(whole ? `${text} ` : text, begin, caret + rest, "end");
  if (!whole) askHints(box);
}

export function suggest() {
  on("input", ({ target }) => {
    if (!target.matches("[data-suggest]")) return;
    clearTimeout(hintTimer);
    hintTimer = setTimeout(askHints, 150, target);
  });
  on("focusout", ({ target }) => target.matches?.("[data-suggest]") && closeHints(target));
  on("keydown", (event) => {
    const box = event.target;
    if (!hints.length || event.isComposing || !box.matches?.("[data-suggest]")) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) hintAt = (hintAt + by + (hintAt < 0 && by < 0) + hints.length) % hints.length, drawHints(box);
    else if (event.key === "Escape") closeHints(box);
    else if (hintAt >= 0 && (event.key === "Enter" || event.key === "Tab")) insertHint(box, hintAt);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
