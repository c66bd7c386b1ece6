// The embeddable button: <script async src="…/c/{brand}/static/loader.js" data-page="chat"></script>
(() => {
  const own = document.currentScript;
  if (!own) return;
  const base = own.src.replace(/\/static\/loader\.js.*$/, "");
  const page = own.dataset.page === "contact" ? "contact" : "chat";
  const frame = document.createElement("iframe");
  frame.title = own.dataset.title || "Chat";
  frame.src = base + "/" + page;
  frame.hidden = true;
  frame.style.cssText = "position:fixed;inset-inline-end:1rem;inset-block-end:5rem;inline-size:min(24rem,calc(100vw - 2rem));block-size:min(38rem,calc(100vh - 7rem));border:1px solid #76838a;border-radius:.5rem;z-index:2147483000;background:Canvas";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = own.dataset.title || "Chat";
  button.setAttribute("aria-expanded", "false");
  button.style.cssText = "position:fixed;inset-inline-end:1rem;inset-block-end:1rem;min-block-size:3rem;padding:.5rem 1.25rem;border:0;border-radius:1.5rem;font:600 1rem system-ui;color:#fff;background:#02646d;z-index:2147483000;cursor:pointer";
  button.addEventListener("click", () => {
    frame.hidden = !frame.hidden;
    button.setAttribute("aria-expanded", String(!frame.hidden));
  });
  document.body.append(frame, button);
})();
