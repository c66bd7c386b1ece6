// Live updates. The stream carries names, not contents: the page asks for the fragments it shows, in batches, drops what is
// older than what it has, and moves nothing under the eye.
import { forget } from "./ahead.js";
import { typed } from "./composer.js";
import { ring } from "./bell.js";
import { $, $$, clock, counted, fill, morph, on, page, post, q, renew, say } from "./tools.js";

const nothing = () => ({ tickets: new Set(), mentions: new Set(), alerts: new Set(), all: false, rail: false });
const state = { ...nothing(), fresh: new Set(), lost: false };
let liveTimer = 0, railed = 0;
const version = (node) => +(node?.dataset.version ?? 0);
const touched = (node) => !!node?.querySelector("details.drop[open]") || (!getSelection().isCollapsed && node?.contains(getSelection().anchorNode));

export function take(event) {
  if (event.state) return showState(event), showEnd(event.ends);
  if (event.reload) state.all = true;
  ring(event);
  const { kind, id } = event;
  if (kind === "mention") state.mentions.add(id);
  else if (kind) {
    (kind === "alert" ? state.alerts : state.tickets).add(id);
    forget(id);
    state.rail = true;
  }
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

// The session is about to end: for want of an act, which Stay is, or in any case.
function showEnd(ends) {
  for (const line of $$("[data-ends]")) {
    const hidden = line.dataset.ends !== ends;
    if (line.hidden && !hidden) say(line.textContent.trim());
    line.hidden = hidden;
  }
}

async function flush() {
  liveTimer = 0;
  if (document.hidden) return; // asked again when the tab is looked at
  const { tickets, mentions, alerts, all, rail } = state;
  Object.assign(state, nothing());
  const section = document.body.dataset.section, panes = q(".panes[data-view]");
  const jobs = [];
  if (panes) jobs.push(rows(`/inbox/${panes.dataset.view}/rows`, tickets, all));
  if (section === "mentions" && $("rows")) jobs.push(rows("/mentions/rows", mentions, all));
  if (section === "alerts" && (alerts.size || all)) jobs.push(alertPage(alerts, all));
  const talk = $("talk");
  if (talk?.dataset.ticket && (all || tickets.has(talk.dataset.ticket))) jobs.push(thread(talk.dataset.number));
  if ((rail || all) && Date.now() - railed > 2000) {
    railed = Date.now();
    jobs.push(page(`/live/rail?section=${section}`).then((made) => renew("rail", made)));
  }
  await Promise.all(jobs);
}

const shownIds = () => [...$$("#rows [id^=row-]")].map((node) => node.id.slice(4));

// What changed; after a gap what the list holds now, then what has left it.
async function rows(url, ids, all) {
  let list = [...ids];
  if (all) {
    const made = await page(location.href);
    if (!made.getElementById("rows")) return;
    await place(made);
    list = shownIds().filter((id) => !made.getElementById(`row-${id}`));
  }
  if (list.length) await place(await page(`${url}?${new URLSearchParams({ ids: list.slice(0, 100), back: location.pathname + location.search })}`));
}

async function place(found) {
  for (const made of found.querySelectorAll("[id^=row-]")) {
    const here = $(made.id);
    if (!here) made.classList.contains("gone") || state.fresh.add(made.id);
    else if (version(made) >= version(here) && !here.isEqualNode(made) && !touched(here)) {
      for (const name of ["aria-current", "tabindex"]) {
        const kept = here.querySelector(`[${name}]`)?.getAttribute(name);
        if (kept) made.querySelector("a")?.setAttribute(name, kept);
      }
      await morph(here, made);
    }
  }
  if (!$("views")?.matches(":popover-open")) await renew("views", found);
  announce();
}

// New rows wait behind a bar; they enter by themselves only at the top of a list nobody touches.
function announce() {
  const bar = $("fresh");
  if (!bar) return;
  counted(bar, state.fresh.size);
  if (bar.hidden) return;
  bar.href = location.href;
  const list = $("rows");
  if (list && list.scrollTop === 0 && scrollY === 0 && !list.matches(":hover, :focus-within") && !touched(list) && list.closest(".list")) enter();
}

async function enter() {
  const id = q(".panes") ? "list" : "rows", made = await page(location.href);
  if (!made.getElementById(id)) return;
  state.fresh.clear();
  await renew(id, made);
  $("fresh").hidden = true;
}

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
let unseen = 0;

async function thread(number) {
  const found = await page($("thread").dataset.again);
  const talk = $("talk"), box = $("scroll"), made = found.getElementById("thread"), head = found.getElementById("head");
  if (!made || talk?.dataset.number !== String(number)) return;
  if (head && version(head) >= version($("head")) && !touched($("head"))) await morph($("head"), head);
  await renew("presence", found);
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
  await morph(now, made);
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
  if (button) counted(button, unseen);
}

async function alertPage(ids, all) {
  const sheet = q("[data-alert]");
  if (!sheet) return rows("/alerts/rows", ids, all);
  if ((!all && !ids.has(sheet.dataset.alert)) || touched(sheet) || sheet.contains(document.activeElement?.closest("input, textarea, select"))) return;
  const made = (await page(location.href)).querySelector("[data-alert]");
  if (made && version(made) >= version(sheet)) await morph(sheet, made);
}

export function live() {
  const box = $("live");
  if (!box || !document.body.dataset.user) return;
  on("visibilitychange", () => !document.hidden && flush());
  on("click", (event) => {
    if (event.target.closest("#fresh")) event.preventDefault(), enter();
    if (event.target.closest("[data-stay]")) post("/profile/look", {}).then((answer) => answer && showEnd(""));
    if (event.target.closest("#below")) $("scroll").scrollTo({ top: $("scroll").scrollHeight }), seen();
  });
  on("scroll", ({ target }) => target.id === "scroll" && unseen && atEnd(target) && seen(), true);
  on("htmx:after:swap", () => $("scroll") && unseen && below());
  const here = () => {
    const ticket = $("talk")?.dataset.ticket;
    if (ticket && !document.hidden) post(`/presence/${ticket}`, { doing: typed() ? "writing" : "looking" });
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
