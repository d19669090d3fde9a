// Ctrl+K: go to a place or do what the page offers; each line teaches its key.
"use strict";

(() => {
  const words = Marginalia.words;
  // a page may offer more than its keys say: functions that give [{name, key, run}]
  Marginalia.palette = { more: [] };
  let dialog, input, list, shownEntries = [], chosen = 0;

  function build() {
    dialog = document.createElement("dialog");
    dialog.className = "palette";
    dialog.setAttribute("aria-label", words.goTo);
    input = document.createElement("input");
    input.type = "text";
    input.placeholder = words.goTo;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-label": words.goTo, "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", autocomplete: "off" })) input.setAttribute(name, value);
    list = document.createElement("ul");
    list.id = "palette-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", words.goTo);
    dialog.append(input, list);
    document.body.append(dialog);
    input.addEventListener("input", () => { chosen = 0; draw(); });
    input.addEventListener("keydown", move);
    list.addEventListener("click", (event) => {
      const line = event.target.closest("[role=option]");
      if (line) act(shownEntries[Number(line.dataset.at)]);
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }

  // what the page offers comes first; a key such as "← →" only tells how to move and is nothing to run
  function entries() {
    const doing = Marginalia.keys.all().filter((binding) => !binding.hidden && binding.label && !isHint(binding.key))
      .map((binding) => ({ name: String(binding.label), key: binding.key, run: binding.run, teaches: Boolean(binding.key) }));
    const more = Marginalia.palette.more.flatMap((each) => each());
    const going = (Marginalia.data.places || []).map((place) => ({ name: place.name, run: () => location.assign(place.url) }));
    const wanted = input.value.trim();
    return wanted ? [...doing, ...going, ...more] : [...going, ...doing];
  }

  function isHint(key) {
    return key.length > 1 && /[^A-Za-z0-9]/.test(key) || key === "␣";
  }

  // 0: the name begins with it, 1: its words do, 2: it is in there, 3: no match
  function rank(name, wanted) {
    const low = name.toLowerCase();
    const parts = wanted.split(/\s+/);
    if (low.startsWith(wanted)) return 0;
    if (parts.every((part) => low.split(/[\s(/-]+/).some((word) => word.startsWith(part)))) return 1;
    return parts.every((part) => low.includes(part)) ? 2 : 3;
  }

  function draw() {
    const wanted = input.value.trim().toLowerCase();
    const ranked = entries().map((entry) => [rank(entry.name, wanted), entry]).filter(([place]) => place < 3);
    shownEntries = ranked.sort(([a], [b]) => a - b).map(([, entry]) => entry).slice(0, 50);
    chosen = Math.min(chosen, Math.max(shownEntries.length - 1, 0));
    list.replaceChildren(...shownEntries.map((entry, at) => {
      const line = document.createElement("li");
      line.id = `palette-${at}`;
      line.dataset.at = at;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", String(at === chosen));
      const name = document.createElement("span");
      name.textContent = entry.name;
      line.append(name);
      if (entry.key) {
        const key = document.createElement("kbd");
        key.textContent = Marginalia.keys.shown(entry.key);
        line.append(key);
      }
      return line;
    }));
    if (!shownEntries.length) {
      const nothing = document.createElement("li");
      nothing.className = "nothing";
      nothing.setAttribute("role", "option");
      nothing.setAttribute("aria-disabled", "true");
      nothing.textContent = words.nothing;
      list.append(nothing);
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", `palette-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  function move(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shownEntries.length) {
      event.preventDefault();
      chosen = (chosen + step + shownEntries.length) % shownEntries.length;
      draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      act(shownEntries[chosen]);
    }
  }

  function act(entry) {
    dialog.close();
    // after the dialog has given the focus back
    if (!entry) return;
    setTimeout(() => {
      entry.run(new Event("palette"));
      // the palette is where one finds out that it is not needed
      if (entry.teaches && Marginalia.data.singleKeys !== false) Marginalia.toast(words.nextTime.replace("{key}", Marginalia.keys.shown(entry.key)).replace("{name}", entry.name));
    });
  }

  function open() {
    if (!dialog) build();
    if (dialog.open) { dialog.close(); return; }
    if (document.querySelector("dialog[open]")) return;
    input.value = "";
    chosen = 0;
    dialog.showModal();
    draw();
    input.focus();
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-palette]")) open(); });
})();
