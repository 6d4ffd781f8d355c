"""What stands in the way of people with a disability on a page: axe-core's findings, and what it cannot see, measured.

WCAG 2.2 level AA. An empty list says that these checks found nothing, which is less than that a page is accessible: the sentences
were read and the pages looked at by people.
"""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

# SC 2.5.8: 24 by 24 CSS pixels, or a circle of that diameter around it that meets no other target; links in a sentence are exempt.
SMALL_TARGETS = """
() => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const targets = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter(shown);
  const boxes = targets.map((target) => target.getBoundingClientRect());
  const inSentence = (target) => target.matches("a") && getComputedStyle(target).display === "inline"
    && target.parentElement.textContent.trim() !== target.textContent.trim();
  const offScreen = (box) => box.right <= 0 || box.bottom <= 0 || box.width <= 1;
  return targets.filter((target, i) => {
    const a = boxes[i];
    if (offScreen(a) || inSentence(target) || (a.width >= 24 && a.height >= 24)) return false;
    const x = (a.left + a.right) / 2, y = (a.top + a.bottom) / 2;
    return boxes.some((b, j) => {
      if (j === i || offScreen(b)) return false;
      const dx = Math.max(b.left - x, 0, x - b.right), dy = Math.max(b.top - y, 0, y - b.bottom);
      return Math.hypot(dx, dy) < 12;
    });
  }).map((target) => `target too small: ${target.outerHTML.slice(0, 120)}`);
}
"""

# SC 1.4.10: nothing sticks out of the window sideways.
SIDEWAYS = """
() => document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? [`scrolls sideways: ${document.documentElement.scrollWidth} px in ${document.documentElement.clientWidth} px: `
     + [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
       .map((e) => e.outerHTML.slice(0, 80)).slice(0, 3).join(" ")]
  : []
"""

FOCUS = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inView = box.bottom > 0 && box.top < innerHeight && box.width > 0;
  const moved = element !== window.focusBefore;
  window.focusBefore = element;
  return { what: element.outerHTML.slice(0, 120), visible: ring && inView, moved };
}
"""


async def barriers(page: Page) -> list[str]:
    """What is in the way on the page as it is shown now."""
    found = (await Axe().run(page, options={"resultTypes": ["violations"], "runOnly": list(RULES)})).response
    broken = [(rule["id"], node) for rule in found["violations"] for node in rule["nodes"]]
    said = [f"{rule}: {node['html'][:200]} ({node.get('failureSummary', '')})" for rule, node in broken]
    return said + await misfits(page)


async def misfits(page: Page) -> list[str]:
    """What does not fit the window as it is now, or is too small to hit: quick, for many sizes."""
    return [*await page.evaluate(SMALL_TARGETS), *await page.evaluate(SIDEWAYS)]


async def unseen_focus(page: Page) -> list[str]:
    """Walk through the page by Tab: where the focus cannot be seen, or is trapped (SC 2.1.2, 2.4.7)."""
    hidden = []
    await page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    for _ in range(80):
        await page.keyboard.press("Tab")
        focus = await page.evaluate(FOCUS)
        if focus is None:
            return hidden
        if not focus["visible"]:
            hidden.append(f"focus not visible: {focus['what']}")
        if not focus["moved"]:
            hidden.append(f"focus does not move on: {focus['what']}")
    return [*hidden, "80 times Tab, and the page has no end"]
