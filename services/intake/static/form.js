// The form works without this: it moves the focus to what is wrong and keeps the text while the server is away.
(() => {
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
  const form = document.querySelector("form");
  const message = document.getElementById("message");
  const key = "ascolto-draft:" + location.pathname;
  try {
    if (!message.value) message.value = sessionStorage.getItem(key) || "";
    message.addEventListener("input", () => sessionStorage.setItem(key, message.value));
    form.addEventListener("submit", () => { if (navigator.onLine) sessionStorage.removeItem(key); });
  } catch (blocked) {
    message.dataset.draft = "off"; // storage is not allowed in this frame: the form goes on without drafts
  }
})();
