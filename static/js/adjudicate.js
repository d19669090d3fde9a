// The digits of the page of adjudication. The other keys are rows.js's: whatever carries [data-act].
"use strict";

(() => {
  const root = () => document.getElementById("adjudication");

  for (let digit = 1; digit <= 9; digit += 1) {
    Marginalia.keys.register({
      action: `choose-${digit}`,
      key: String(digit),
      label: root().dataset.chooseWords.replace("{n}", digit),
      hidden: digit > 3,
      run: () => {
        const button = root().querySelector(`[data-choose="${digit}"]`);
        if (!button || root().classList.contains("htmx-request")) return false;
        button.click();
        return true;
      },
    });
  }

  // the next text is there: whoever works by keyboard or by ear goes on from its beginning
  document.addEventListener("htmx:afterSwap", () => {
    const next = root()?.querySelector("[data-focus]");
    if (!next) return;
    next.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  });
})();
