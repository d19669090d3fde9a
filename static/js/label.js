// The label page: builds the parts, binds the keys, shows how far the answers have come.
"use strict";

(() => {
  const root = document.getElementById("label-root");
  if (!root) return;
  const { Answers, Combobox, Desk, Paper, Post } = Marginalia.label;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const [labels, words] = [read("labels-data"), read("label-words")];
  const keys = Marginalia.keys;
  const byId = (id) => document.getElementById(id);
  if (!labels.length) return;

  const taken = new Set(Object.entries(Marginalia.data.keymap || {}).filter(([action]) => !action.startsWith("triage_")).map(([, key]) => key.toLowerCase()));
  const answers = new Answers({ labels, taken });
  const paper = new Paper({ answers, words });
  const post = new Post({ page: root.dataset.page, csrf: root.querySelector("#answer [name=csrfmiddlewaretoken]") });
  const desk = new Desk({ urls: root.dataset, paper, answers, post, words, newest: root.dataset.newest, store: root.dataset.store });
  Marginalia.label.desk = desk;

  // --- answering at once, or choosing first ---
  const atOnce = byId("at-once");
  try { atOnce.checked = localStorage.getItem("marginalia.choose-first") !== "yes"; } catch { /* stays on */ }
  atOnce.addEventListener("change", () => {
    try { localStorage.setItem("marginalia.choose-first", atOnce.checked ? "" : "yes"); } catch { /* for this page only */ }
  });
  let digitAt = -1000;
  const pick = (id) => {
    if (atOnce.checked) { desk.decide(id); return; }
    answers.choose(id);
    Marginalia.announce(answers.name(id));
  };

  const combobox = new Combobox({ labels, likelihood: () => answers.likelihood, take: pick, leave: () => paper.focus() });

  // --- pointer and plain form ---
  byId("answers").addEventListener("click", (event) => {
    const input = event.target.closest("input[type=radio]");
    // arrow keys also "click" radio buttons, with detail 0: they only choose. A click on the row arrives here through
    // its input with detail 0 as well, so the row itself is what counts.
    const row = event.target.closest(".answer");
    if (row && (!input || event.detail > 0)) { event.preventDefault(); pick(Number(row.dataset.label)); }
  });
  paper.form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.id === "do-skip") desk.skip();
    else desk.submit();
  });
  byId("undo").addEventListener("submit", (event) => { event.preventDefault(); desk.undo(); });
  byId("do-present").addEventListener("click", () => desk.present());
  desk.lookingChanged = (looking) => {
    byId("do-present").hidden = !looking;
    byId("do-skip").hidden = looking;
    root.classList.toggle("looking-back", looking);
    if (!looking) history.at = -1;
  };

  // --- keys ---
  const openNote = () => { paper.noteBox.open = true; paper.note.focus(); };
  paper.note.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") { event.preventDefault(); paper.focus(); }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); desk.submit(); }
  });
  const toggleGuidelines = () => { const box = byId("guidelines"); if (box) box.open = !box.open; };
  const history = new Marginalia.label.History({ desk, post, url: root.dataset.history });
  const label = (action, fallback) => ({ action, label: words.keys[action] || fallback });
  for (const digit of "1234567890") {
    keys.register({ action: `digit-${digit}`, key: digit, hidden: true, run: () => {
      const id = answers.digits.get(digit);
      if (id === undefined) return false;
      digitAt = performance.now();
      pick(id);
      return true;
    } });
  }
  for (const [key, id] of answers.letters) {
    if (!/\d/.test(key)) keys.register({ action: `label-${id}`, key, label: answers.name(id), run: () => pick(id) });
  }
  keys.register({ action: "digits", key: "1 … 9, 0", label: words.keys.digits, run: () => false });
  // Enter right after a number key means that number, not the text that has just come up
  keys.register({ ...label("submit"), run: () => { if (!atOnce.checked || performance.now() - digitAt > 300) desk.submit(); } });
  keys.register({ ...label("accept"), run: () => { const [best] = answers.likelihood.keys(); if (best !== undefined) desk.decide(best); } });
  keys.register({ ...label("reject"), run: () => { answers.choose(null); if (answers.many) combobox.open(); } });
  keys.register({ ...label("skip"), run: () => desk.skip() });
  keys.register({ ...label("undo"), run: () => desk.undo() });
  keys.register({ ...label("previous"), run: () => { history.older(); } });
  keys.register({ ...label("next"), run: () => { history.newer(); } });
  keys.register({ ...label("flag"), run: () => { paper.flagged.checked = !paper.flagged.checked; Marginalia.announce(paper.flagged.checked ? words.flagOn : words.flagOff); } });
  keys.register({ ...label("comment"), run: openNote });
  if (!taken.has("n") && !answers.letters.has("n")) keys.register({ action: "note", key: "n", hidden: true, label: words.keys.comment, run: openNote });
  if (answers.many) keys.register({ ...label("search"), run: () => combobox.open() });
  if (byId("guidelines")) keys.register({ ...label("guidelines"), run: toggleGuidelines });
  keys.register({ action: "present", key: "Escape", label: words.keys.present, hidden: true, run: () => desk.present() });
  for (const cap of document.querySelectorAll("kbd[data-key]")) {
    const key = keys.keyOf(cap.dataset.key);
    cap.textContent = key === "Enter" ? "↵" : keys.shown(key);
    cap.hidden = !key || (Marginalia.data.singleKeys === false && key.length === 1);
  }
  if (Marginalia.data.singleKeys === false) root.classList.add("no-keys");

  // --- what a label means, in the margin, while it is pointed at ---
  const about = byId("label-note");
  const explain = (event) => {
    const row = event.target.closest?.("[data-label]");
    const found = row && answers.byId.get(Number(row.dataset.label));
    about.hidden = !found?.about;
    if (!found?.about) return;
    about.querySelector("h2").textContent = found.name;
    about.querySelector("p").textContent = found.about;
    about.style.top = `${Math.max(0, row.getBoundingClientRect().top - about.offsetParent.getBoundingClientRect().top)}px`;
  };
  byId("answers").addEventListener("pointerover", explain);
  byId("answers").addEventListener("focusin", explain);
  byId("answers").addEventListener("pointerleave", () => { about.hidden = true; });

  // --- saved, saving, unsent ---
  const place = byId("saved");
  let told = "";
  desk.outbox.changed = ({ waiting, trouble, sending }) => {
    place.className = trouble ? "careful-text" : "quieter";
    if (!waiting) place.textContent = desk.done.length || told ? words.saved : "";
    else if (trouble) place.textContent = words.unsent.replace("{n}", waiting);
    else if (sending) place.textContent = words.saving;
    place.dataset.state = !waiting ? "saved" : trouble ? "unsent" : "saving";
    Marginalia.connection?.(trouble !== "unreachable");
    if (trouble === "unreachable" && desk.waiting) paper.tell(words.kept);
    if (trouble === told) return;
    told = trouble;
    if (trouble === "signedOut") paper.tell(words.signedOut, signIn());
    else if (trouble === "forbidden") paper.tell(Marginalia.words.forbidden);
    else if (trouble) Marginalia.announce(words.kept);
    else { paper.tell(""); Marginalia.announce(words.saved); }
  };
  function signIn() {
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.href = `${root.dataset.login}?next=${encodeURIComponent(root.dataset.page)}`;
    link.target = "_blank";
    link.textContent = words.signIn;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "small";
    again.textContent = words.tryAgain;
    again.addEventListener("click", () => desk.outbox.flush(true));
    line.className = "cluster";
    line.append(link, again);
    return line;
  }

  // --- leases live as long as somebody is at it; progress follows ---
  let active = performance.now();
  for (const sign of ["keydown", "pointerdown", "wheel", "touchstart"]) document.addEventListener(sign, () => { active = performance.now(); }, { passive: true });
  const every = Math.min(60, Number(root.dataset.lease) / 3) * 1000;
  setInterval(() => {
    const tokens = desk.cards.map((card) => card.token).join(",");
    if (tokens && performance.now() - active < 2 * every) post.to(root.dataset.renew, { tokens }).catch(() => {});
  }, every);
  const refresh = (id) => { if (!document.hidden && byId(id)) byId(id).dispatchEvent(new Event(`refresh-${id}`)); };
  let soon = 0;
  desk.saved = () => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      refresh("progress");
      if (history.box.open && history.at < 0) history.load();
    }, 1200);
  };
  setInterval(() => { refresh("progress"); if (paper.form.hidden && !document.hidden) desk.load(); }, 15_000);

  desk.start(Paper.cards(byId("cards")));
})();
