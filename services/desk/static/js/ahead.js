// The next row's ticket, fetched once the one in sight is drawn and nothing else is to do: the key for it draws at once.
import { rowLinks } from "./keys.js";
import { q } from "./tools.js";

const FRESH = 5000; // what is older is asked for again
let ahead = {};

export const paneOf = (url, options, headers) => fetch(url, { headers: { "HX-Request": "true", "HX-Target": "div#ticket", ...headers }, ...options }).catch(() => null);

function fetchNext() {
  const list = rowLinks(), next = list[list.findIndex((row) => row.ariaCurrent) + 1];
  if (!next?.matches("[data-beside]") || !q("#ticket.shown") || navigator.connection?.saveData) return;
  ahead = { url: next.href, row: next.closest("[id^=row-]")?.id, at: Date.now(), answer: paneOf(next.href, {}, { "X-Background": "next" }) };
}

export const lookAhead = () => (window.requestIdleCallback ?? setTimeout)(fetchNext);

// What was fetched for this address, if it is fresh, whole and not taken before.
export async function taken(url) {
  const { answer, at } = ahead.url === url ? ahead : {};
  ahead = {};
  const found = Date.now() - at < FRESH && (await answer);
  return found?.ok && !found.redirected ? found : null;
}

export const forget = (ticket) => ahead.row === `row-${ticket}` && (ahead = {});
