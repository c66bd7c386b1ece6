// Completions in the search boxes: fields, then their values with counts. Nothing is chosen until an arrow says so: Enter searches.
import { $, combobox, on } from "./tools.js";

const hintList = (box) => $(box.getAttribute("aria-controls"));
const hints = combobox(hintList, insertHint, (box, one) => {
  hintList(box).hidden = !one;
  box.setAttribute("aria-expanded", !!one);
}, -1);

function askHints(box) {
  const caret = box.selectionStart;
  if (box.value && caret === box.selectionEnd) hints.ask(box, "/search/suggest", { q: box.value, caret });
  else hints.shut();
}

// The word the caret is in gives way; after a field its values are asked for.
function insertHint({ insert }, box) {
  const caret = box.selectionStart;
  const begin = caret - box.value.slice(0, caret).match(/(?![-(])\S*$/)[0].length;
  const rest = box.value.slice(caret).match(/^\S*/)[0].length;
  const whole = !insert.endsWith(":");
  hints.shut();
  box.setRangeText(whole ? `${insert} ` : insert, begin, caret + rest, "end");
  if (!whole) askHints(box);
}

export const suggest = () => on("input", ({ target }) => target.matches("[data-suggest]") && askHints(target));
