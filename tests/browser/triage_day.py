"""The decisions of a day, key by key, and how long each took to be painted. Knows no Django: the bench uses it too."""

from playwright.sync_api import Page

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
    for key in before:
        page.keyboard.press(key)
    page.evaluate("window.__armed = true")
    page.keyboard.press(last)


def painted(page: Page) -> list[float]:
    return [float(each) for each in page.evaluate("window.__painted")]
