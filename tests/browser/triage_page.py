"""What the triage page shows, and how a test waits for it."""

from playwright.sync_api import Page, expect

from apps.feedback.models import Ticket

PAGE = "/p/bank/triage/"


def current(page: Page) -> int:
    return int(page.locator("#ticket").get_attribute("data-number") or 0)


def at(page: Page, number: int) -> None:
    expect(page.locator("#ticket")).to_have_attribute("data-number", str(number))


def numbers(page: Page) -> list[int]:
    return [int(row) for row in page.eval_on_selector_all(".ticket-row", "rows => rows.map(row => row.dataset.number)")]


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def states() -> dict[int, str]:
    return dict(Ticket.objects.values_list("number", "state"))


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


# from a key pressed to the frame that shows the next ticket, or the word for an empty list
WATCH = """
(() => {
  const seen = window.__painted = [];
  const shown = () => document.getElementById("ticket")?.dataset.number || "";
  window.addEventListener("keydown", (event) => {
    if (!window.__armed) return;
    window.__armed = false;
    const [before, pressed] = [shown(), event.timeStamp];
    const look = () => requestAnimationFrame(() => {
      if (shown() === before) { look(); return; }
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen.push(performance.now() - pressed);
      channel.port2.postMessage(0);
    });
    look();
  }, true);
})();
"""
# what a manager does with the tickets of a day, one after the other; the last key is the decision
DAY = (("1",), ("3", "1"), ("1",), ("h", "1"), ("1",), ("3", "2"))


def decide(page: Page, place: int) -> None:
    """The next decision of the day; its last key is watched."""
    *before, last = DAY[place % len(DAY)]
    press(page, *before)
    page.evaluate("window.__armed = true")
    press(page, last)


def painted(page: Page) -> list[float]:
    return [float(each) for each in page.evaluate("window.__painted")]
