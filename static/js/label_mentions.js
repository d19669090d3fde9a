// @ and a few letters: the names of people here, by keyboard. For every <textarea data-people='["name", …]'>, also those
// that come later. The focus stays in the field; arrows walk, Enter or Tab takes, Escape closes the list.
"use strict";

(() => {
  const MOST = 6;
  let list = null, field = null, found = [], at = 0, from = 0;

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  // what stands between the last @ before the caret and the caret, when it can begin a name
  function wanted(area) {
    const before = area.value.slice(0, area.selectionStart);
    const sign = before.lastIndexOf("@");
    if (sign < 0 || /[\p{L}\p{N}]/u.test(before[sign - 1] || "") && before.charCodeAt(sign - 1) < 128) return null;
    const part = before.slice(sign + 1);
    return part.length > 60 || part.includes("\n") ? null : { sign, part: fold(part) };
  }

  function look(area) {
    const part = wanted(area);
    if (!part) { close(); return; }
    const people = JSON.parse(area.dataset.people);
    const starts = people.filter((name) => fold(name).startsWith(part.part));
    const inside = people.filter((name) => !starts.includes(name) && fold(name).split(/\s+/).some((word) => word.startsWith(part.part)));
    found = [...starts, ...inside].slice(0, MOST);
    if (!found.length || (found.length === 1 && fold(found[0]) === part.part)) { close(); return; }
    from = part.sign;
    at = 0;
    draw(area);
  }

  function draw(area) {
    field = area;
    if (!list) {
      list = document.createElement("ul");
      list.id = "mention-list";
      list.setAttribute("role", "listbox");
      list.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the field keeps the focus
        const option = event.target.closest("[role=option]");
        if (option) take(Number(option.dataset.at));
      });
    }
    list.setAttribute("aria-label", area.placeholder);
    list.replaceChildren(...found.map((name, place) => {
      const option = document.createElement("li");
      option.id = `mention-${place}`;
      option.dataset.at = place;
      option.setAttribute("role", "option");
      option.textContent = name;
      return option;
    }));
    area.parentNode.append(list);
    list.scrollIntoView({ block: "nearest" });
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", "mention-list");
    mark();
    Marginalia.announce((Marginalia.words.found || "{n}").replace("{n}", found.length));
  }

  function mark() {
    for (const [place, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(place === at));
    field.setAttribute("aria-activedescendant", `mention-${at}`);
  }

  function take(place) {
    const caret = field.selectionStart;
    const named = `@${found[place]} `;
    field.setRangeText(named, from, caret, "end");
    close();
  }

  function close() {
    list?.remove();
    field?.removeAttribute("aria-activedescendant");
    field?.removeAttribute("aria-controls");
    field = null;
  }

  const area = (event) => event.target.closest?.("textarea[data-people]");

  document.addEventListener("input", (event) => { if (area(event) && !event.isComposing) look(area(event)); });
  document.addEventListener("focusout", (event) => { if (event.target === field) close(); });
  document.addEventListener("keydown", (event) => {
    const here = area(event);
    if (!here || event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      here.form.requestSubmit();
    } else if (field === here && step) {
      event.preventDefault();
      at = (at + step + found.length) % found.length;
      mark();
    } else if (field === here && ["Enter", "Tab"].includes(event.key)) {
      event.preventDefault();
      take(at);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (field === here) close();
      else document.getElementById("item-heading")?.focus({ preventScroll: true });
    }
  }, true);
})();
