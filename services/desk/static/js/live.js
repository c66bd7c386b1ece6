// Live updates. The stream carries names, not contents: the page asks for the fragments it shows, in batches, drops what is
// older than what it has, and moves nothing under the eye.
import { typed } from "./composer.js";
import { ring } from "./bell.js";
import { $, $$, clock, fill, get, morph, on, parse, post, q, say } from "./tools.js";

const state = { tickets: new Set(), mentions: new Set(), alerts: new Set(), rail: false, all: false, fresh: new Set(), lost: false };
let liveTimer = 0, railed = 0;
const version = (node) => +(node?.dataset.version ?? 0);
const touched = (node) => !!node?.querySelector("details.drop[open]") || (!getSelection().isCollapsed && node?.contains(getSelection().anchorNode));
const piece = async (url) => (await get(url, { "HX-Request": "true" }))?.text() ?? "";

export function take(event) {
  if (event.state) return showState(event);
  if (event.reload) state.all = true;
  ring(event);
  const kind = event.kind ?? "";
  if (/ticket|interaction|deliver|presence|draft/.test(kind)) state.tickets.add(event.ticket ?? event.id), (state.rail = true);
  else if (/mention/.test(kind)) state.mentions.add(event.id);
  else if (/alert/.test(kind)) state.alerts.add(event.id), (state.rail = true);
  else if (kind) state.rail = true;
  if (!liveTimer) liveTimer = setTimeout(flush, 500);
}

function showState({ state: now, since }) {
  const box = $("live");
  if (!box) return;
  box.hidden = false;
  box.classList.toggle("lost", now !== "live");
  const text = now === "live" ? box.dataset.live : fill(box.dataset[now], clock(since ? new Date(since) : undefined));
  if (now === "out") box.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  if (box.textContent !== text) box.textContent = text, now !== "live" && say(text, now === "out");
  if (state.lost && now === "live") take({ reload: true });
  state.lost = now !== "live";
}

async function flush() {
  liveTimer = 0;
  if (document.hidden) return; // asked again when the tab is looked at
  const { tickets, mentions, alerts, all, rail } = state;
  Object.assign(state, { tickets: new Set(), mentions: new Set(), alerts: new Set(), all: false, rail: false });
  const section = document.body.dataset.section, panes = q(".panes[data-view]");
  const jobs = [];
  if (panes && (tickets.size || all)) jobs.push(all ? whole(`/inbox/${panes.dataset.view}/rows`) : rows(`/inbox/${panes.dataset.view}/rows`, tickets));
  if (section === "mentions" && $("rows") && (mentions.size || all)) jobs.push(all ? whole("/mentions/rows") : rows("/mentions/rows", mentions));
  if (section === "alerts" && (alerts.size || all)) jobs.push(alertPage(alerts, all));
  const talk = $("talk");
  if (talk?.dataset.ticket && (all || tickets.has(talk.dataset.ticket))) jobs.push(thread(talk.dataset.number));
  if ((rail || all) && Date.now() - railed > 2000) {
    railed = Date.now();
    jobs.push(piece(`/live/rail?section=${section}`).then((html) => html && morph($("rail"), html)));
  }
  await Promise.all(jobs);
}

const shownIds = () => [...$$("#rows [id^=row-]")].map((node) => node.id.slice(4));

// After a gap: what the list holds now, then what has left it.
async function whole(url) {
  const page = parse(await piece(location.href));
  if (!page.getElementById("rows")) return;
  await place(page);
  await rows(url, shownIds().filter((id) => !page.getElementById(`row-${id}`)));
}

async function rows(url, ids) {
  if (!ids.size && !ids.length) return;
  await place(parse(await piece(`${url}?${new URLSearchParams({ ids: [...ids].slice(0, 100).join(","), back: location.pathname + location.search })}`)));
}

async function place(page) {
  for (const made of page.querySelectorAll("[id^=row-]")) {
    const here = $(made.id);
    if (!here) made.classList.contains("gone") || state.fresh.add(made.id);
    else if (version(made) >= version(here) && !here.isEqualNode(made) && !touched(here)) {
      const open = here.querySelector("[aria-current]");
      if (open) made.querySelector("a")?.setAttribute("aria-current", "true");
      const tab = here.querySelector("[tabindex]");
      if (tab) made.querySelector("a")?.setAttribute("tabindex", tab.getAttribute("tabindex"));
      await morph(here, made.outerHTML);
    }
  }
  const views = page.getElementById("views");
  if (views && $("views") && !$("views").matches(":popover-open")) await morph($("views"), views.outerHTML);
  announce();
}

// New rows wait behind a bar; they enter by themselves only at the top of a list nobody touches.
function announce() {
  const bar = $("fresh");
  if (!bar) return;
  const count = state.fresh.size;
  bar.hidden = !count;
  if (!count) return;
  bar.textContent = count === 1 ? bar.dataset.one : fill(bar.dataset.many, count);
  bar.href = location.href;
  const list = $("rows");
  if (list && list.scrollTop === 0 && scrollY === 0 && !list.matches(":hover, :focus-within") && !touched(list) && list.closest(".list")) enter();
}

async function enter() {
  const html = await piece(location.href);
  const list = parse(html).getElementById(q(".panes") ? "list" : "rows");
  const here = list && $(list.id);
  if (!here) return;
  state.fresh.clear();
  await morph(here, list.outerHTML);
  $("fresh").hidden = true;
}

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
let unseen = 0;

async function thread(number) {
  const page = parse(await piece($("thread").dataset.again));
  const talk = $("talk"), box = $("scroll"), made = page.getElementById("thread"), head = page.getElementById("head");
  if (!made || talk?.dataset.number !== String(number)) return;
  if (head && version(head) >= version($("head")) && !touched($("head"))) await morph($("head"), head.outerHTML);
  const writing = page.getElementById("presence");
  if (writing && $("presence")) await morph($("presence"), writing.outerHTML);
  const now = $("thread");
  if (touched(now)) return void setTimeout(() => take({ kind: "ticket", id: talk.dataset.ticket }), 2000);
  const known = new Set([...now.querySelectorAll(".message, .bubble")].map((node) => node.id));
  const follow = atEnd(box) && !box.matches(":has(:focus)");
  for (const fold of now.querySelectorAll("details[open]")) {
    const owner = fold.closest("[id]");
    const twin = owner && made.querySelector(`#${CSS.escape(owner.id)}`);
    const at = owner ? [...owner.querySelectorAll("details")].indexOf(fold) : -1;
    (fold === owner ? twin : twin?.querySelectorAll("details")[at])?.setAttribute("open", "");
  }
  await morph(now, made.outerHTML);
  const added = [...$("thread").querySelectorAll(".message, .bubble")].filter((node) => !known.has(node.id));
  const theirs = added.filter((node) => !node.closest(".ours, .note"));
  if (theirs.length) say(theirs.at(-1).querySelector("h2")?.textContent ?? "");
  if (follow) box.scrollTop = box.scrollHeight, seen();
  else if (added.length) unseen += added.filter((node) => node.matches(".message")).length, below();
}

function seen() {
  unseen = 0;
  below();
  const last = $("thread")?.dataset.last;
  if (!last || document.hidden) return;
  for (const field of $$("[data-composer=reply] [name=last_seen]")) field.value = last;
}

function below() {
  const button = $("below");
  if (!button) return;
  button.hidden = !unseen;
  button.textContent = (unseen === 1 ? button.dataset.one : fill(button.dataset.many, unseen)) + " ↓";
}

async function alertPage(ids, all) {
  const sheet = q("[data-alert]");
  if (!sheet) return all ? whole("/alerts/rows") : rows("/alerts/rows", ids);
  if ((!all && !ids.has(sheet.dataset.alert)) || touched(sheet) || sheet.contains(document.activeElement?.closest("input, textarea, select"))) return;
  const made = parse(await piece(location.href)).querySelector("[data-alert]");
  if (made && version(made) >= version(sheet)) await morph(sheet, made.outerHTML);
}

export function live() {
  const box = $("live");
  if (!box || !document.body.dataset.user) return;
  on("visibilitychange", () => !document.hidden && flush());
  on("click", (event) => {
    if (event.target.closest("#fresh")) event.preventDefault(), enter();
    if (event.target.closest("#below")) $("scroll").scrollTo({ top: $("scroll").scrollHeight }), seen();
  });
  on("scroll", ({ target }) => target.id === "scroll" && unseen && atEnd(target) && seen(), true);
  on("htmx:after:swap", () => $("scroll") && unseen && below());
  const here = () => {
    const ticket = $("talk")?.dataset.ticket;
    if (ticket && !document.hidden) post(`/presence/${ticket}`, { doing: typed() ? "writing" : "looking" }).catch(() => null);
  };
  setInterval(here, 20000);
  setTimeout(here, 1000);
  const url = new URL("./stream.js", import.meta.url);
  try {
    const worker = new SharedWorker(url, { type: "module", name: `ascolto:${document.body.dataset.user}` });
    worker.port.onmessage = ({ data }) => take(data);
    worker.port.start();
  } catch {
    import(url.href).then(({ lead }) => lead(take));
  }
  setInterval(() => state.lost && take({ reload: true }), 30000); // no stream: ask now and then, and say so
}
