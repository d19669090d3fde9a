// "Cannot decide": a key opens the project's reasons, a digit gives one. It is an answer of its own kind.
"use strict";

Marginalia.label.undecided = ({ desk, paper, words }) => {
  const box = document.getElementById("undecided-box");
  if (!box) return;
  const reasons = [...box.querySelectorAll("button[name=undecided]")];
  const { keys } = Marginalia;
  let unbind = [];

  function bind() {
    const digits = [..."1234567890"].slice(0, reasons.length);
    unbind = digits.map((digit, at) => keys.register({ action: `undecided-${digit}`, key: digit, hidden: true, run: () => desk.submit(reasons[at].value) }));
    unbind.push(keys.register({ action: "undecided-close", key: "Escape", hidden: true, run: close }));
    reasons[0].focus({ preventScroll: true });
    Marginalia.announce(words.whyUndecided);
  }

  // at once: the digit may come before the browser says that the box is open
  function open() {
    box.open = true;
    if (!unbind.length) bind();
  }

  function release() {
    for (const each of unbind) each();
    unbind = [];
  }

  function close() {
    box.open = false;
    release();
    paper.focus();
  }

  box.addEventListener("toggle", () => { if (!box.open) release(); else if (!unbind.length) bind(); });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = reasons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    reasons[(at + step + reasons.length) % reasons.length].focus();
  });
  paper.whenShown.push(() => { if (box.open) { box.open = false; release(); } });
  keys.register({ action: "undecided", label: words.keys.undecided, run: () => { if (box.open) close(); else if (desk.open) open(); } });
};
