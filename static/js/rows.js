// A list that is gone through by keys: next and previous move, and what a row offers is one key away.
//   <ul data-rows><li data-row tabindex="-1">… <button data-act="review_approve">  the key of that action presses it
// Where no row is current, the page's own [data-act] answers. Names of the actions stand in #row-words.
"use strict";

(() => {
  const words = JSON.parse(document.getElementById("row-words")?.textContent || "{}");
  const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")];

  function current() {
    return document.activeElement?.closest?.("[data-row]") || rows()[0] || null;
  }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement?.closest?.("[data-row]"));
    const next = all[Math.max(0, Math.min(all.length - 1, here < 0 ? 0 : here + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function press(act) {
    const target = (current() || document).querySelector(`[data-act="${act}"]`) || document.querySelector(`main [data-act="${act}"]:not([data-row] *)`);
    if (!target) return false;
    if (target.tagName === "DETAILS") {
      target.open = true;
      target.querySelector("input:not([type=hidden]), select, textarea")?.focus();
    } else {
      target.click();
    }
    return true;
  }

  const moves = { next: () => step(1), previous: () => step(-1) };
  for (const [action, label] of Object.entries(words)) {
    Marginalia.keys.register({ action, label, run: moves[action] || (() => press(action)) });
  }
})();
