// Widths of the panes: the line between them is dragged or moved with the arrow keys; the person's next page has them at once.
import { $, on, post } from "./tools.js";

const widths = {};
let paneTimer = 0, grip = null;

function setPane(line, width) {
  const { pane, min, max } = line.dataset;
  const px = (widths[pane] = Math.round(Math.min(max, Math.max(min, width))));
  line.closest(".panes").style.setProperty(`--${pane}`, `${px}px`);
  line.setAttribute("aria-valuenow", px);
  clearTimeout(paneTimer);
  paneTimer = setTimeout(() => post("/profile/look", widths), 400);
}

const paneWidth = (line) => $(line.dataset.pane).offsetWidth;
const paneWay = (line) => (line.dataset.pane === "list" ? 1 : -1);

export function panes() {
  on("keydown", (event) => {
    const line = event.target;
    if (!line.matches?.("[role=separator]")) return;
    const by = { ArrowLeft: -16, ArrowRight: 16 }[event.key];
    if (by) setPane(line, paneWidth(line) + by * paneWay(line));
    else if (event.key === "Home") setPane(line, line.dataset.min);
    else if (event.key === "End") setPane(line, line.dataset.max);
    else return;
    event.preventDefault();
  });
  on("pointerdown", (event) => {
    const line = event.target;
    if (!line.matches?.("[role=separator]")) return;
    event.preventDefault();
    line.focus();
    line.setPointerCapture(event.pointerId);
    grip = { from: event.clientX, width: paneWidth(line) };
  });
  on("pointermove", ({ target, clientX }) => grip && target.matches?.("[role=separator]") && setPane(target, grip.width + (clientX - grip.from) * paneWay(target)));
  for (const end of ["pointerup", "pointercancel"]) on(end, () => (grip = null));
}
