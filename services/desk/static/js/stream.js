// The one stream of this browser: in a shared worker, or in the tab that holds a lock and tells the others.
const RETRY = [1000, 2000, 5000, 10000];
const SILENT = 35000; // two heartbeats of 15 s missed
let last = "", tries = 0, heard = 0, lostAt = 0, now = null, over = false;

async function listen(tell) {
  for (over = false; !over; ) {
    const stop = new AbortController();
    heard = Date.now();
    const watch = setInterval(() => Date.now() - heard > SILENT && stop.abort(), 5000);
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const answer = await fetch("/live", { headers, signal: stop.signal, credentials: "same-origin", redirect: "error" });
      over = answer.status === 401;
      if (!answer.ok) throw new Error(answer.status);
      tries = lostAt = 0;
      tell((now = { state: "live" }));
      await read(answer.body.pipeThrough(new TextDecoderStream()).getReader(), tell);
    } catch {
      // Server away, silence, nonsense: all are "lost" for the reader.
    }
    clearInterval(watch);
    if (over) return tell((now = { state: "out" }));
    lostAt ||= Date.now();
    const down = () => tell((now = { state: Date.now() - lostAt > SILENT ? "poll" : "lost", since: lostAt }));
    if (tries) down();
    await new Promise((done) => setTimeout(done, RETRY[Math.min(tries++, RETRY.length - 1)]));
  }
}

async function read(reader, tell) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard = Date.now();
    const parts = (rest + value).split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) {
      const field = (name) => part.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1];
      const name = field("event");
      last = field("id") ?? last;
      if (name === "signed_out") over = true;
      else if (name === "reload") tell({ reload: true });
      else if (name === "ends") tell((now = { ...now, ...JSON.parse(field("data")) }));
      else if (name === "change") tell(JSON.parse(field("data")));
    }
  }
}

export function lead(take) {
  const channel = new BroadcastChannel("ascolto-live");
  channel.onmessage = ({ data }) => (data === "hello" ? now && channel.postMessage(now) : take(data));
  channel.postMessage("hello");
  const tell = (event) => (take(event), channel.postMessage(event));
  if (navigator.locks) navigator.locks.request("ascolto-live", () => listen(tell));
  else listen(tell);
}

if (typeof SharedWorkerGlobalScope !== "undefined") {
  const ports = new Set();
  let begun = false;
  self.onconnect = ({ ports: [port] }) => {
    ports.add(port);
    port.start();
    if (now) port.postMessage(now);
    if (!begun || over) begun = true, listen((event) => ports.forEach((one) => one.postMessage(event)));
  };
}
