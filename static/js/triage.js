// The triage page: builds the parts, binds the keys, shows how far the decisions have come.
"use strict";

(() => {
  const root = document.getElementById("triage-root");
  if (!root || !document.getElementById("tickets")) return;
  const { List, Reader, Dialogs, Desk, Pulse } = Marginalia.triage;
  const words = JSON.parse(document.getElementById("triage-words").textContent);
  const keys = Marginalia.keys;
  const byId = (id) => document.getElementById(id);
  const page = document.querySelector(".triage-page");
  const narrow = window.matchMedia("(max-width: 46rem)");

  const list = new List(byId("tickets"));
  const reader = new Reader({ pane: byId("ticket-pane"), list, words });
  const csrf = document.querySelector("#triage-bulk [name=csrfmiddlewaretoken]");
  const post = new Marginalia.label.Post({ page: root.dataset.page, csrf, form: "#triage-bulk" });
  const desk = new Desk({ root, list, reader, post, words });
  const dialogs = new Dialogs({ words, list, find: root.dataset.find, act: (action, values, numbers) => desk.act(action, values, numbers) });
  Marginalia.triage.desk = desk;

  // --- deciding ---
  const decide = (action, numbers = list.chosen) => {
    if (!numbers.length) return;
    if (!numbers.some((number) => desk.can(number, action))) { desk.refuse(numbers[0]); return; }
    if (dialogs.has(action)) dialogs.open(action, numbers);
    else desk.act(action, {}, numbers);
  };
  byId("ticket-pane").addEventListener("submit", (event) => {
    if (!event.target.matches("[data-acts]")) return;
    event.preventDefault();
    const action = event.submitter?.value || "accept";
    if (action === "undo") desk.undoOf(reader.shown);
    else decide(action, [reader.shown]);
  });
  byId("triage-bulk").addEventListener("submit", (event) => {
    event.preventDefault();
    decide(event.submitter?.value || "accept", list.selected);
  });
  document.querySelector("[data-unselect]").addEventListener("click", () => { list.selectAll(false); selection(); });

  // --- the list by pointer ---
  const plain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.button);
  list.root.addEventListener("click", (event) => {
    const row = event.target.closest(".ticket-row");
    if (!row) {
      if (event.target.closest("#more-tickets") && plain(event)) { event.preventDefault(); desk.more(); }
      return;
    }
    const number = Number(row.dataset.number);
    if (event.target.matches("input")) {
      if (event.shiftKey && list.anchor) list.selectTo(number);
      list.anchor = number;
      return;
    }
    if (!event.target.closest("a") || !plain(event)) return;
    event.preventDefault();
    if (event.shiftKey) { list.selectTo(number); selection(); return; }
    open(number);
  });
  list.root.addEventListener("change", () => selection());
  function open(number) {
    desk.go(number);
    if (!narrow.matches || page.classList.contains("opened")) return;
    page.classList.add("opened");
    window.scrollTo(0, 0);
    history.pushState({ ticket: number }, "", reader.address(number));
  }
  function close() {
    if (!page.classList.contains("opened")) return false;
    if (history.state?.ticket) { history.back(); return true; }
    page.classList.remove("opened");
    history.replaceState(null, "", root.dataset.page + (root.dataset.query ? `?${root.dataset.query}` : ""));
    list.mark(list.current);
    return true;
  }
  window.addEventListener("popstate", () => { page.classList.toggle("opened", Boolean(history.state?.ticket)); list.row(list.current)?.querySelector("a").focus(); });
  byId("ticket-pane").addEventListener("click", (event) => {
    const jump = event.target.closest("[data-jump]");
    if (jump && plain(event) && list.row(Number(jump.dataset.jump))) { event.preventDefault(); desk.go(Number(jump.dataset.jump)); }
    if (event.target.closest("[data-back]") && plain(event) && close()) event.preventDefault();
  });

  // --- selection, counts ---
  const bulk = byId("triage-bulk");
  const spoken = byId("triage-selected");
  function selection() {
    const n = list.selected.length;
    bulk.classList.toggle("on", n > 0);
    document.querySelector("[data-unselect]").hidden = !n;
    spoken.textContent = n ? words.selected.replace("{n}", n) : "";
  }
  desk.changed = selection;
  const session = byId("triage-session");
  desk.counted = (n) => { session.hidden = n < 1; session.textContent = words.session.replace("{n}", n); };
  desk.emptied = () => { Marginalia.announce(words.empty); if (narrow.matches) close(); setTimeout(() => desk.reload(), 1500); };

  // --- the clock to the first look: who stays a moment has looked ---
  let looking = 0;
  const look = (number) => {
    clearTimeout(looking);
    looking = setTimeout(() => {
      const row = list.row(number);
      if (document.hidden || reader.shown !== number || !(row ? "new" in row.dataset : false)) return;
      delete row.dataset.new;
      post.to(desk.url, { action: "look", numbers: number }).catch(() => {});
    }, 1200);
  };
  desk.moved = look;

  // --- keys ---
  const bind = (action, run, more = {}) => keys.register({ action, label: words.keys[action], run, ...more });
  const moving = (step) => (event) => {
    if (event.shiftKey && list.current) {
      const from = list.current;
      if (!list.anchor || !list.box(list.anchor)?.checked) list.toggle(from, true);
      const to = list.beside(step);
      if (to) { desk.go(to); list.selectTo(to); selection(); }
      return;
    }
    list.anchor = 0;
    desk.step(step);
  };
  for (const action of ["accept", "duplicate", "dismiss", "snooze", "assign"]) bind(`triage_${action}`, () => decide(action));
  bind("next", moving(1));
  bind("previous", moving(-1));
  keys.register({ action: "arrow-next", key: "ArrowDown", hidden: true, repeats: true, run: moving(1) });
  keys.register({ action: "arrow-previous", key: "ArrowUp", hidden: true, repeats: true, run: moving(-1) });
  bind("triage_select", () => { list.toggle(list.current); selection(); });
  const all = () => { const some = list.selected.length < list.numbers.length; list.selectAll(some); selection(); Marginalia.announce(some ? words.selected.replace("{n}", list.selected.length) : words.noneSelected); };
  bind("triage_all", all);
  const read = () => { if (!list.current) return false; open(list.current); reader.pane.scrollTop = 0; return true; };
  bind("triage_open", read);
  keys.register({ action: "open-enter", key: "Enter", hidden: true, run: read });
  bind("triage_fresh", () => pulse.show());
  bind("undo", () => desk.undo());
  const taken = new Set(Object.entries(Marginalia.data.keymap || {}).filter(([name]) => name.startsWith("triage_") || ["undo", "next", "previous", "search", "help"].includes(name)).map(([, key]) => key));
  if (!taken.has("u")) keys.register({ action: "undo-too", key: "u", hidden: true, run: () => desk.undo() });
  bind("search", () => { const field = byId("by-q"); field?.focus(); field?.select(); });
  keys.register({ action: "leave", key: "Escape", label: words.keys.leave, run: () => {
    if (list.selected.length) { list.selectAll(false); selection(); Marginalia.announce(words.noneSelected); } else if (!close()) return false;
    return true;
  } });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "a" || event.shiftKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    all();
  });
  byId("by-q")?.addEventListener("keydown", (event) => { if (event.key === "Escape" && !event.isComposing) { event.preventDefault(); reader.focus(); if (document.activeElement === event.target) event.target.blur(); } });
  Marginalia.triage.caps(document);
  if (Marginalia.data.singleKeys === false) page.classList.add("no-keys");

  // --- saved, saving, unsent ---
  const place = byId("saved");
  const notice = byId("triage-notice");
  let told = "";
  desk.outbox.changed = ({ waiting, trouble, sending }) => {
    place.className = trouble ? "careful-text" : "quieter";
    if (!waiting) place.textContent = desk.done.length || told ? words.saved : "";
    else if (trouble) place.textContent = words.unsent.replace("{n}", waiting);
    else if (sending) place.textContent = words.saving;
    place.dataset.state = !waiting ? "saved" : trouble ? "unsent" : "saving";
    Marginalia.connection(trouble !== "unreachable");
    if (trouble === told) return;
    told = trouble;
    const sentence = { unreachable: words.kept, signedOut: words.signedOut, forbidden: Marginalia.words.forbidden }[trouble] || "";
    notice.hidden = !sentence;
    notice.replaceChildren();
    if (!sentence) return;
    const line = document.createElement("p");
    line.textContent = sentence;
    notice.append(line);
    if (trouble === "signedOut") notice.append(signIn());
  };
  function signIn() {
    const line = document.createElement("p");
    line.className = "cluster";
    const link = document.createElement("a");
    link.href = `${root.dataset.login}?next=${encodeURIComponent(root.dataset.page)}`;
    link.target = "_blank";
    link.textContent = words.signIn;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "small";
    again.textContent = words.tryAgain;
    again.addEventListener("click", () => desk.outbox.flush(true));
    line.append(link, again);
    return line;
  }

  desk.start();
  const pulse = byId("pulse") ? new Pulse({ desk, list, reader, words }) : { show: () => {} };
  if (list.current) look(list.current);
  selection();
})();
