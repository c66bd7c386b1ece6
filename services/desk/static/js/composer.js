// Writing an answer or a note: drafts, length, gaps, canned answers, files. Nothing typed is lost.
import { $$, clock, combobox, csrf, element, fill, on, post } from "./tools.js";

const GAP = /\{\{[^{}]*\}\}/;
const timers = new WeakMap();
const form = (node) => node.closest?.("[data-composer]");
const text = (box) => box.querySelector("[data-text]");
const slot = (box) => `draft:${document.body.dataset.user}:${box.dataset.ticket}:${box.dataset.composer}`;

// Links count 23 where the channel weighs its characters; wide ones count two. Source: X's counting rules.
function weigh(value, unit) {
  if (unit !== "x_weighted") return [...value].length;
  let links = 0;
  const rest = value.normalize("NFC").replace(/https?:\/\/\S+/g, () => ((links += 23), ""));
  let sum = links;
  for (const letter of rest) {
    const code = letter.codePointAt(0);
    sum += code <= 4351 || (code >= 8192 && code <= 8205) || (code >= 8208 && code <= 8223) || (code >= 8242 && code <= 8247) ? 1 : 2;
  }
  return sum;
}

function check(box) {
  const value = text(box).value, max = +box.dataset.max, send = box.querySelectorAll("[type=submit]:not([name=discard])");
  const count = box.querySelector("[data-count]"), gap = box.querySelector("[data-gap]");
  let over = 0;
  if (count && max) {
    const length = weigh(value, box.dataset.unit);
    over = Math.max(0, length - max);
    count.textContent = over ? fill(count.dataset.over, over) : fill(count.dataset.of, length, max);
    count.classList.toggle("over", over > 0);
  }
  if (gap) gap.hidden = !GAP.test(value);
  for (const button of send) button.disabled = over > 0;
}

function keep(box) {
  const value = text(box).value;
  if (value) localStorage.setItem(slot(box), JSON.stringify({ key: box.dataset.key, text: value, at: Date.now() }));
  else localStorage.removeItem(slot(box));
  clearTimeout(timers.get(box));
  timers.set(box, setTimeout(() => save(box), 2000));
}

async function save(box) {
  clearTimeout(timers.get(box));
  const value = text(box).value, saved = box.querySelector("[data-saved]");
  if (box.dataset.sent || box.dataset.stored === value) return;
  const body = new FormData(box), line = box.querySelector("[data-courtesy]");
  body.delete("upload");
  for (const [name, one] of Object.entries({ ticket: box.dataset.ticket, kind: box.dataset.composer, caret: text(box).selectionStart })) body.set(name, one);
  const answer = await post(`/tickets/${box.dataset.number}/draft`, body);
  if (answer?.ok && !answer.redirected) {
    box.dataset.stored = value;
    saved.textContent = fill(saved.dataset.savedText, clock());
    const { hint } = await answer.json();
    if (line) line.hidden = !hint, line.firstElementChild.textContent = hint;
    if (text(box).value === value) localStorage.removeItem(slot(box));
  } else saved.textContent = saved.dataset.localText;
}

// What this browser kept and the server had not confirmed comes back.
function restore() {
  for (const box of $$("[data-composer]:not([data-ready])")) {
    box.dataset.ready = "1";
    const kept = JSON.parse(localStorage.getItem(slot(box)) ?? "null");
    if (kept && kept.key === box.dataset.key && kept.text !== text(box).value && !box.closest("details").id.endsWith("-held")) {
      text(box).value = kept.text;
      keep(box);
    } else if (kept && kept.key !== box.dataset.key) localStorage.removeItem(slot(box));
    if (sessionStorage.getItem(`hush:${box.dataset.ticket}`)) box.querySelector("[data-courtesy]")?.remove();
    check(box);
  }
}

// What a sign at the start of a word offers: "/" the canned answers of a reply, "@" the colleagues of a note.
let signAt = 0;
const offersOf = (area) => form(area).querySelector("[data-offers]");
const offers = combobox((area) => offersOf(area).firstElementChild, insertOffer, (area, one) => {
  offersOf(area).hidden = !one;
  offersOf(area).lastElementChild.textContent = one?.text;
});
function sign(area) {
  const box = form(area), before = area.value.slice(0, area.selectionStart), place = offersOf(area);
  const found = before.match(/(?:^|\s)([/@])([\p{L}\p{N}_-]*)$/u);
  if (!found || found[1] !== place?.dataset.sign) return offers.shut();
  signAt = before.length - found[2].length - 1;
  offers.ask(area, place.dataset.offers, { number: box.dataset.number, q: found[2] });
}
function insertOffer({ text: put }, area) {
  area.setRangeText(put, signAt, Math.max(signAt, area.selectionStart), "end");
  offers.shut();
  area.focus();
  gap(area);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}
function gap(area) {
  const found = area.value.match(GAP);
  if (found) area.focus(), area.setSelectionRange(found.index, found.index + found[0].length);
  return !!found;
}

// Each file goes up alone, with its progress, and can be taken off.
function upload(box, files) {
  const list = box.querySelector("[data-files]");
  for (const file of files) {
    const bar = element("progress", { max: "100", value: "0" }), note = element("span", { class: "muted" });
    const drop = element("button", { type: "button", class: "button quiet", "data-drop-file": "" }, "×");
    const item = element("li", { class: "file" }, element("bdi", {}, file.name), bar, note, drop);
    list.append(item);
    if (+box.dataset.maxFile && file.size > +box.dataset.maxFile) {
      bar.remove();
      note.textContent = box.querySelector(".attach").title;
      note.className = "danger-text";
      continue;
    }
    const body = new FormData(), request = new XMLHttpRequest();
    body.set("csrf", csrf());
    body.set("file", file);
    body.set("ticket_id", box.dataset.ticket);
    drop.addEventListener("click", () => request.abort());
    request.upload.onprogress = (event) => (bar.value = (100 * event.loaded) / event.total);
    request.onloadend = () => {
      bar.remove();
      if (request.status !== 200) return void ((note.textContent = `${request.status || ""} ✕`), (note.className = "danger-text"));
      const kept = JSON.parse(request.responseText);
      drop.setAttribute("aria-label", `× ${file.name}`);
      item.append(element("input", { type: "hidden", name: "file", value: kept.id }));
      box.dataset.stored = "\0";
      save(box);
    };
    request.open("POST", "/files/upload");
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  }
}

let typing = 0;
export const typed = () => Date.now() - typing < 20000;

export function composer() {
  restore();
  on("htmx:after:swap", restore);
  on("input", ({ target }) => {
    const box = form(target);
    if (!box) return;
    check(box), keep(box);
    if (target.matches("[data-text]")) sign(target);
    if (box.dataset.composer === "reply" && Date.now() - typing > 4000) {
      typing = Date.now();
      post(`/presence/${box.dataset.ticket}`, { doing: "writing" });
    }
  });
  on("focusout", ({ target }) => {
    const box = target.matches?.("[data-text]") && form(target);
    if (box) save(box);
  });
  on("change", ({ target }) => {
    if (target.matches("[data-upload]")) upload(form(target), [...target.files]), (target.value = "");
  });
  on("paste", (event) => {
    const box = form(event.target);
    if (box?.querySelector("[data-upload]") && event.clipboardData.files.length) event.preventDefault(), upload(box, event.clipboardData.files);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) on(kind, (event) => {
    const box = form(event.target);
    if (!box?.querySelector("[data-upload]")) return;
    event.preventDefault();
    box.classList.toggle("dropping", kind === "dragover");
    if (kind === "drop") upload(box, event.dataTransfer.files);
  });
  on("click", ({ target }) => {
    if (target.closest("[data-drop-file]")) {
      const box = form(target);
      target.closest("li").remove();
      box.dataset.stored = "\0";
      save(box);
    } else if (target.closest("[data-canned-open]")) {
      const area = text(form(target));
      area.focus();
      area.setRangeText(area.selectionStart && !/\s$/.test(area.value.slice(0, area.selectionStart)) ? " /" : "/", area.selectionStart, area.selectionEnd, "end");
      sign(area);
    } else if (target.closest("[data-edit]")) text(form(target)).focus();
    else if (target.closest("[data-hush]")) {
      sessionStorage.setItem(`hush:${form(target).dataset.ticket}`, 1);
      target.closest("[data-courtesy]").remove();
    }
  });
  on("submit", (event) => {
    const box = form(event.target);
    if (!box || event.submitter?.name === "discard") return;
    if (box.dataset.composer === "reply" && gap(text(box))) return event.preventDefault(), event.stopImmediatePropagation();
    clearTimeout(timers.get(box));
    box.dataset.sent = "1"; // leaving the field must not save what is on its way
  }, true);
  on("htmx:error", () => {
    for (const box of $$("[data-sent]")) delete box.dataset.sent, keep(box);
  });
}
