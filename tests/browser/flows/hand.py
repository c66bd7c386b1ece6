"""A hand on the keyboard and an eye on the focus: after each key the focused thing must be marked and uncovered."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error, Page

# What is wrong with the focus of this moment, or nothing.
_LOOK = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return "";
  const name = node.tagName + (node.id ? "#" + node.id : "") + " " + (node.textContent || node.value || "").trim().slice(0, 40);
  const mark = node.matches(".vh") ? node.closest("label") : node;
  const of = (one) => { const s = getComputedStyle(one); return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== "none"; };
  const heading = node.tabIndex < 0 && !node.matches("a, button, input, select, textarea, summary");
  if (!of(mark) && !of(node) && !heading) return `nothing marks the focus of ${name}`;
  const box = mark.getBoundingClientRect();
  if (!box.width || !box.height) return `${name} has the focus and is not there`;
  const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth), top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
  if (right - left < 1 || bottom - top < 1) return `${name} has the focus outside of the window`;
  for (const [x, y] of [[(left + right) / 2, (top + bottom) / 2], [left + 3, top + 3], [right - 3, bottom - 3]]) {
    const hit = document.elementFromPoint(x, y);
    if (hit && (mark.contains(hit) || hit.contains(mark))) return "";
  }
  return `${name} has the focus under ${document.elementFromPoint((left + right) / 2, (top + bottom) / 2)?.outerHTML.slice(0, 90)}`;
}"""
SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
    .observe({ type: "layout-shift", buffered: false });
}"""


class Hand:
    """Types and presses; collects what is wrong with the focus."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []

    def press(self, *keys: str) -> None:
        """Presses keys one after the other, and looks after each."""
        for key in keys:
            self.page.keyboard.press(key)
            self.look()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.look()

    def look(self) -> None:
        """Notes what is wrong with the focus now; a page that is just changing is looked at once it is there."""
        try:
            self.page.wait_for_load_state("domcontentloaded")
            found = self.page.evaluate(_LOOK)
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
            self.page.wait_for_load_state("domcontentloaded")
            found = self.page.evaluate(_LOOK)
        if found:
            self.wrong.append(f"{self.page.url}: {found}")

    def tab_to(self, selector: str, *, key: str = "Tab", most: int = 80) -> None:
        """Tab until something that matches has the focus."""
        for _ in range(most):
            if self.focused(selector):
                return
            self.press(key)
        raise AssertionError(f"{most} times {key} do not lead to {selector}; at {self.where()}")

    def focused(self, selector: str) -> bool:
        return bool(self.page.evaluate("(selector) => !!document.activeElement?.matches(selector)", selector))

    def where(self) -> Any:
        return self.page.evaluate("document.activeElement?.outerHTML.slice(0, 200)")

    def wait_focus(self, selector: str) -> None:
        """Until the page has put the focus where it says."""
        self.page.wait_for_function("(selector) => !!document.activeElement?.matches(selector)", arg=selector)
        self.look()
