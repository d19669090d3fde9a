// The label page: builds the parts and binds the keys.
//
// How a text is answered is a kind: Marginalia.label.kinds[single | multi | spans], built with
//   { labels, words, taken, root, pick }   taken: keys that actions have; root: #answers; pick({now}): the answer is
//                                          complete, send it if one key answers at once (now: in any case); says whether
// and offering
//   show(card)       paint an empty answer, the suggestion or card.answer; afterwards `touched` is false
//   fields()         the form fields of the answer; null when there is none yet, and `problem` says what is missing
//   words()          what the answer is, in words
//   touched          whether the person has changed anything since show(): only then a draft is kept
//   draft(), restore(draft)   the answer as JSON, and back; restore() sets `touched`
//   bindKeys(keys)   the keys of the answer itself
//   aside(id)        (if there is more to say of a label than its description) a sentence for the margin
//   begun            (if it can be half made) whether a part of the answer stands: a flag alone will not do then
//   choices()        (if it has any) what the palette can do beyond these keys: [{name, key, run}]
"use strict";

(() => {
  const root = document.getElementById("label-root");
  if (!root) return;
  const { Desk, Drafts, Paper, Post, kinds } = Marginalia.label;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const [labels, words] = [read("labels-data"), read("label-words")];
  const keys = Marginalia.keys;
  const byId = (id) => document.getElementById(id);
  if (!labels.length) return;

  // --- answering at once, or choosing first ---
  const atOnce = byId("at-once");
  try { atOnce.checked = localStorage.getItem("marginalia.choose-first") !== "yes"; } catch { /* stays on */ }
  atOnce.addEventListener("change", () => {
    try { localStorage.setItem("marginalia.choose-first", atOnce.checked ? "" : "yes"); } catch { /* for this page only */ }
  });
  // when keys were pressed, not when a busy page came to them
  let [pickedAt, keyAt] = [-1000, -1000];
  document.addEventListener("keydown", (event) => {
    keyAt = event.timeStamp;
    if (event.key !== "Enter") pickedAt = -1000;
  }, { capture: true });
  // the second click of a double click means the text of the first, which has gone by then
  let turnedAt = -1000;
  root.addEventListener("click", (event) => {
    if (event.detail < 2 || event.timeStamp - turnedAt > 400 || !event.target.closest("button, .answer")) return;
    event.preventDefault();
    event.stopPropagation();
  }, { capture: true });
  const pick = ({ now = false } = {}) => {
    if (!now && !atOnce.checked) return false;
    pickedAt = keyAt;
    desk.submit();
    return true;
  };

  const taken = new Set(Object.entries(Marginalia.data.keymap || {}).filter(([action]) => action in words.keys || action === "help").map(([, key]) => key.toLowerCase()));
  const kind = new kinds[root.dataset.kind]({ labels, words, taken, root: byId("answers"), pick });
  const drafts = new Drafts(root.dataset.store);
  const paper = new Paper({ kind, words, drafts });
  const post = new Post({ page: root.dataset.page, csrf: root.querySelector("#answer [name=csrfmiddlewaretoken]") });
  const desk = new Desk({ urls: root.dataset, paper, kind, post, words, newest: root.dataset.newest, store: root.dataset.store, training: Number(root.dataset.training) });
  const history = new Marginalia.label.History({ desk, post, url: root.dataset.history });
  const comments = new Marginalia.label.Comments({ paper, post, url: root.dataset.comments, words, drafts });
  paper.whenShown.push(() => { turnedAt = performance.now(); });
  desk.lesson = new Marginalia.label.Lesson({ paper, words });
  Marginalia.label.desk = desk;

  // --- a draft of what is being made, kept while it is made ---
  let keeping = 0;
  const keep = () => {
    clearTimeout(keeping);
    keeping = setTimeout(() => { if (desk.open) paper.keep(desk.card); }, 150);
  };
  for (const sign of ["input", "change", "keyup", "pointerup"]) paper.form.addEventListener(sign, keep);
  document.addEventListener("keyup", keep);
  window.addEventListener("pagehide", () => { if (desk.open) paper.keep(desk.card); });

  // --- pointer and plain form ---
  paper.form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.id === "do-skip") desk.skip();
    else if (event.submitter?.name === "undecided") desk.submit(event.submitter.value);
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
  const openNote = () => { if (desk.open) { paper.noteBox.open = true; paper.note.focus(); } };
  paper.note.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") { event.preventDefault(); paper.focus(); }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); desk.submit(); }
  });
  const toggleGuidelines = () => { const box = byId("guidelines"); if (box) box.open = !box.open; };
  const flag = () => {
    if (!desk.open) return;
    paper.flagged.checked = !paper.flagged.checked;
    Marginalia.announce(paper.flagged.checked ? words.flagOn : words.flagOff);
  };
  const source = () => document.querySelector("#about-slot a.source")?.click();
  // what has not gone out yet belongs into the summary; a server that does not answer keeps nobody here
  const finish = async () => {
    desk.outbox.letGo();
    await desk.outbox.sent(3000);
    location.assign(root.dataset.summary);
  };
  byId("do-finish").addEventListener("click", (event) => { event.preventDefault(); finish(); });
  const label = (action) => ({ action, label: words.keys[action] });
  kind.bindKeys(keys);
  // Enter right after a key that answered, be it Enter, means that answer, not the text that has just come up
  keys.register({ ...label("submit"), run: (event) => {
    if (event.timeStamp - pickedAt <= 300) return;
    const { card } = desk;
    desk.submit();
    if (desk.card !== card) pickedAt = event.timeStamp - 100;
  } });
  keys.register({ ...label("skip"), run: () => desk.skip() });
  keys.register({ ...label("undo"), run: () => desk.undo() });
  keys.register({ ...label("previous"), run: () => { history.older(); } });
  keys.register({ ...label("next"), run: () => { history.newer(); } });
  keys.register({ ...label("flag"), run: flag });
  keys.register({ ...label("comment"), run: openNote });
  if (!taken.has("n") && !labels.some((each) => each.key.toLowerCase() === "n")) keys.register({ action: "note", key: "n", hidden: true, label: words.keys.comment, run: openNote });
  keys.register({ ...label("thread"), run: () => comments.write() });
  keys.register({ ...label("source"), run: source });
  keys.register({ ...label("finish"), run: () => { finish(); } });
  Marginalia.label.undecided({ desk, paper, words });
  if (byId("guidelines")) keys.register({ ...label("guidelines"), run: toggleGuidelines });
  keys.register({ action: "present", key: "Escape", label: words.keys.present, hidden: true, run: () => desk.present() });
  for (const cap of document.querySelectorAll("kbd[data-key]")) {
    const key = keys.keyOf(cap.dataset.key);
    cap.textContent = key === "Enter" ? "↵" : keys.shown(key);
    cap.hidden = !key || (Marginalia.data.singleKeys === false && key.length === 1);
  }
  if (Marginalia.data.singleKeys === false) root.classList.add("no-keys");

  // every label by its name, with the key that it has on this text
  if (kind.choices) Marginalia.palette.more.push(() => (desk.open ? kind.choices() : []));
  Marginalia.label.explain({ root: byId("answers"), labels, aside: (id) => kind.aside?.(id) || "" });
  Marginalia.label.status({ root, desk, paper, post, words, history });
  desk.start(Paper.cards(byId("cards")));
})();
