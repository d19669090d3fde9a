// The list of items: rows by keyboard, ticks and how many there are. Everything else is plain links and forms.
"use strict";

(() => {
  const list = document.getElementById("items");
  const keys = Marginalia.keys;
  const field = document.getElementById("filter-q");
  const words = JSON.parse(document.getElementById("items-words").textContent);
  keys.register({ action: "search", label: words.search, run: () => { field?.focus(); field?.select(); return Boolean(field); } });
  if (!list) return;
  const links = () => [...list.querySelectorAll(".item-text")];
  const current = () => document.activeElement?.closest?.(".item-row");

  function move(step) {
    const all = links();
    const at = all.indexOf(current()?.querySelector(".item-text"));
    const to = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    if (to) { to.focus(); to.scrollIntoView({ block: "nearest" }); return; }
    // past the last row: the next page comes, and the focus with it
    if (step > 0) list.querySelector("#more-items a")?.focus();
  }
  for (const [action, step] of [["next", 1], ["previous", -1]]) keys.register({ action, label: words[action], run: () => move(step) });
  keys.register({ action: "arrow-next", key: "ArrowDown", hidden: true, repeats: true, run: () => (current() ? move(1) : false) });
  keys.register({ action: "arrow-previous", key: "ArrowUp", hidden: true, repeats: true, run: () => (current() ? move(-1) : false) });
  keys.register({ action: "items_open", label: words.open, run: () => { const link = current()?.querySelector(".item-text"); link?.click(); return Boolean(link); } });
  list.addEventListener("htmx:afterSettle", () => {
    if (document.activeElement === document.body) links().at(-1)?.scrollIntoView({ block: "nearest" });
  });

  const form = document.getElementById("pick");
  if (!form) return;
  const boxes = () => [...list.querySelectorAll("input[name=item]")];
  const all = document.getElementById("pick-all");
  const said = document.getElementById("picked");
  const these = document.getElementById("pick-these");
  let anchor = null;

  function count() {
    const n = boxes().filter((box) => box.checked).length;
    said.textContent = n ? said.dataset.some.replace("{n}", n) : "";
    these.disabled = !n;
    all.checked = n > 0 && n === boxes().length;
    all.indeterminate = n > 0 && !all.checked;
  }
  all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; count(); });
  list.addEventListener("click", (event) => {
    if (!event.target.matches("input[name=item]")) return;
    const every = boxes();
    if (event.shiftKey && anchor) {
      const [from, to] = [every.indexOf(anchor), every.indexOf(event.target)].sort((a, b) => a - b);
      for (const box of every.slice(Math.max(0, from), to + 1)) box.checked = event.target.checked;
    }
    anchor = event.target;
  });
  list.addEventListener("change", count);
  document.addEventListener("htmx:afterSettle", count);
  window.addEventListener("pageshow", count);
  keys.register({ action: "items_select", label: words.select, run: () => {
    const box = current()?.querySelector("input[name=item]");
    if (!box) return false;
    box.checked = !box.checked;
    anchor = box;
    count();
    return true;
  } });
  keys.register({ action: "items_all", label: words.all, run: () => { all.checked = !all.checked; all.dispatchEvent(new Event("change")); } });
  keys.register({ action: "items_leave", key: "Escape", hidden: true, run: () => {
    if (!boxes().some((box) => box.checked)) return false;
    for (const box of boxes()) box.checked = false;
    count();
    return true;
  } });
  count();
})();
