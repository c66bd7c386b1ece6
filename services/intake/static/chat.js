// The chat's page: a socket with a queue that survives it, polling when there is no socket. Nothing is shown twice:
// events are kept by their number, our own messages by the id we gave them.
(() => {
  const root = document.getElementById("chat");
  const log = document.getElementById("log");
  const status = document.getElementById("status");
  const form = document.getElementById("say");
  const text = document.getElementById("text");
  const email = document.getElementById("email");
  const words = root.dataset;
  const base = words.base;
  const storageKey = "ascolto-chat:" + base;
  const waiting = new Map(); // id -> text, in the order written
  let session = null;
  let lastSeq = 0;
  let socket = null;
  let ready = false;
  let pause = 1000;
  let failures = 0;

  const remembered = () => { try { return localStorage.getItem(storageKey) || ""; } catch (blocked) { return ""; } };
  const remember = (token) => { try { localStorage.setItem(storageKey, token); } catch (blocked) { session.kept = false; } };

  async function begin() {
    const told = { token: session ? session.token : remembered(), language: words.language, email: email.value };
    const answer = await fetch(base + "/chat/session", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(told) });
    if (!answer.ok) throw new Error("session " + answer.status);
    session = await answer.json();
    remember(session.token);
    document.getElementById("lead").textContent = session.message;
  }

  function bubble(id, mine, who, said) {
    let article = document.getElementById("m-" + id);
    if (article) return article;
    article = document.createElement("article");
    article.id = "m-" + id;
    article.className = mine ? "said mine" : "said";
    const head = document.createElement("h2");
    head.textContent = who;
    const body = document.createElement("p");
    body.className = "bubble";
    body.dir = "auto";
    body.textContent = said;
    article.append(head, body);
    log.append(article);
    log.scrollTop = log.scrollHeight;
    return article;
  }

  function settle(id) {
    waiting.delete(id);
    const note = document.getElementById("w-" + id);
    if (note) note.remove();
  }

  function show(seq, data) {
    if (seq <= lastSeq) return;
    lastSeq = seq;
    const mine = data.author.kind === "visitor";
    if (mine && data.client_id) settle(data.client_id);
    const who = mine ? words.you : data.author.kind === "automatic" ? words.automatic : data.author.name;
    bubble(mine && data.client_id ? data.client_id : data.id, mine, who, data.text);
    status.textContent = "";
  }

  function sendWaiting() {
    if (ready) for (const [id, said] of waiting) socket.send(JSON.stringify({ op: "msg.send", id, conversation: session.conversation, text: said }));
  }

  async function fetchMissed() {
    const answer = await fetch(base + "/chat/messages?after=" + lastSeq, { headers: { authorization: "Bearer " + session.token } });
    if (answer.status === 401) { await begin(); return; }
    if (!answer.ok) throw new Error("messages " + answer.status);
    const page = await answer.json();
    for (const item of page.items) show(item.seq, item.data);
    if (page.more) await fetchMissed();
  }

  async function poll() {
    try {
      if (!session) await begin();
      await fetchMissed();
      for (const [id, said] of waiting) {
        const answer = await fetch(base + "/chat/messages", { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer " + session.token }, body: JSON.stringify({ client_id: id, text: said }) });
        if (answer.ok) settle(id);
      }
      status.textContent = "";
    } catch (lost) {
      status.textContent = words.lost;
    }
    setTimeout(poll, 4000);
  }

  async function connect() {
    try {
      if (!session) await begin();
    } catch (lost) {
      again();
      return;
    }
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    socket = new WebSocket(scheme + location.host + session.ws, "care.chat.v1");
    socket.onopen = () => socket.send(JSON.stringify({ op: "hello", token: session.token, last_seq: lastSeq }));
    socket.onmessage = async (message) => {
      const frame = JSON.parse(message.data);
      if (frame.op === "ready") {
        ready = true;
        failures = 0;
        pause = 1000;
        status.textContent = "";
        if (frame.missed) await fetchMissed();
        sendWaiting();
      } else if (frame.op === "ack") {
        settle(frame.id);
      } else if (frame.op === "event" && frame.type === "message.created") {
        show(frame.seq, frame.data);
      } else if (frame.op === "event" && frame.type === "typing") {
        status.textContent = frame.data.name + " " + words.typing;
      } else if (frame.op === "error" && frame.retry_after) {
        setTimeout(sendWaiting, frame.retry_after * 1000);
      }
    };
    socket.onclose = async (event) => {
      ready = false;
      failures += 1;
      if (event.code === 4401) await begin().catch(() => { session = null; });
      again();
    };
  }

  function again() {
    status.textContent = words.lost;
    if (failures > 4) { poll(); return; }
    setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, 30000);
  }

  setInterval(() => { if (ready) socket.send('{"op":"ping"}'); }, 25000);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = text.value.trim();
    if (!said) return;
    const id = crypto.randomUUID ? crypto.randomUUID() : String(Date.now()) + Math.random().toString(16).slice(2);
    waiting.set(id, said);
    const note = document.createElement("p");
    note.id = "w-" + id;
    note.className = "muted small";
    note.textContent = words.waiting;
    bubble(id, true, words.you, said).append(note);
    text.value = "";
    text.focus();
    if (email.value && session && !session.told) { session.told = true; await begin().catch(() => { status.textContent = words.lost; }); }
    sendWaiting();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  if ("WebSocket" in window) connect(); else poll();
})();
