// Show and hide the password.
document.documentElement.classList.add("scripted");
const button = document.querySelector("[data-show]"), field = document.getElementById("password");
button?.addEventListener("click", () => {
  const shown = field.type === "text";
  field.type = shown ? "password" : "text";
  button.textContent = shown ? button.dataset.show : button.dataset.hide;
  button.setAttribute("aria-pressed", String(!shown));
  field.focus();
});
document.getElementById("error")?.focus();
