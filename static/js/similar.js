// Texts like one text: keys for checking and labelling, a count of what is checked.
"use strict";

(() => {
  const form = document.getElementById("similar");
  const undo = document.getElementById("similar-undo");
  const keys = Marginalia.keys;

  function name(action, fallback) {
    for (const cap of document.querySelectorAll(`[data-key=${action}]`)) cap.textContent = keys.shown(keys.keyOf(action) || fallback);
  }

  if (undo) keys.register({ action: "undo", label: undo.querySelector("button").firstChild.textContent.trim(), run: () => undo.requestSubmit() });
  name("undo", "z");
  if (!form) return;

  const boxes = [...form.querySelectorAll("[name=items]")];
  const said = (box) => (box.checked ? form.dataset.checked : form.dataset.unchecked);

  function count() {
    const n = boxes.filter((box) => box.checked).length;
    form.querySelector("[data-counter]").textContent = form.dataset.count.replace("{n}", n);
    return n;
  }

  function go(by) {
    const here = boxes.indexOf(document.activeElement);
    const next = boxes[here < 0 ? 0 : Math.max(0, Math.min(boxes.length - 1, here + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function toggle() {
    if (!boxes.includes(document.activeElement)) go(0);
    const box = document.activeElement;
    box.checked = !box.checked;
    count();
    Marginalia.announce(said(box));
  }

  function all() {
    const on = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = on;
    count();
    Marginalia.announce(form.querySelector("[data-counter]").textContent);
  }

  const words = (action) => document.querySelector(`[data-key=${action}]`)?.closest("dt").nextElementSibling.textContent ?? "";
  keys.register({ action: "next", label: words("next"), run: () => go(1) });
  keys.register({ action: "previous", label: words("next"), hidden: true, run: () => go(-1) });
  keys.register({ action: "similar_check", label: words("similar_check"), run: toggle });
  keys.register({ action: "similar_all", label: words("similar_all"), run: all });
  for (const button of document.querySelectorAll("[data-digit]")) {
    keys.register({ action: `similar-${button.dataset.digit}`, key: button.dataset.digit, label: button.querySelector(".chip").textContent, run: () => button.click() });
  }
  for (const action of ["next", "previous", "similar_check", "similar_all"]) name(action, "");

  form.addEventListener("change", count);
  count();
})();
