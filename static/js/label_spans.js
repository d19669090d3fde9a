// Spans of the text: a kind of answer (its parts are told in label.js). The model is in label_spans_model.js, what is
// painted in label_spans_paint.js and _layer.js, the hand that moves the caret in _hand.js, the list in _list.js.
"use strict";

Marginalia.label.kinds.spans = class {
  constructor({ labels, taken, root }) {
    this.labels = new Map(labels.map((label) => [label.id, label]));
    this.root = root;
    this.told = { ...document.getElementById("span-words").dataset };
    this.overlapping = "overlapping" in root.querySelector("#spans").dataset;
    this.buttons = new Map(Array.from(root.querySelectorAll(".span-label"), (button) => [Number(button.dataset.label), button]));
    this.touched = false;
    this.nothing = false; // said on purpose: there is nothing to mark
    this.pen = null; // the label that the pointer marks with
    this.keys = this.letters(labels, taken);
    this.hand = new Marginalia.label.SpanHand(this);
    this.list = new Marginalia.label.SpanList({
      words: this.told, name: (id) => this.name(id), colour: (id) => this.colour(id),
      choose: (span) => this.goTo(span), open: (span) => { this.goTo(span); this.reading.focus({ preventScroll: true }); },
    });
    this.bar = document.getElementById("span-bar");
    this.search = root.querySelector("#other-input") && new Marginalia.label.Combobox({ labels, likelihood: () => new Map(), take: (id) => this.take(id) });
    if (this.search) this.search.leave = () => this.reading.focus({ preventScroll: true });
    this.listen();
  }

  // labels have their own keys; digits go to the first that are left
  letters(labels, taken) {
    const keys = new Map(labels.filter(({ key }) => key && !taken.has(key.toLowerCase())).map(({ key, id }) => [key.toLowerCase(), id]));
    const having = new Set(keys.values());
    const free = [..."1234567890"].filter((digit) => !keys.has(digit));
    for (const { id } of labels) if (!having.has(id) && free.length) keys.set(free.shift(), id);
    for (const [key, id] of keys) this.buttons.get(id).querySelector("kbd").textContent = Marginalia.keys.shown(key);
    return keys;
  }

  listen() {
    const palette = document.getElementById("span-palette");
    const keepSelection = (event) => { if (event.target.closest("button")) event.preventDefault(); };
    for (const box of [palette, this.bar]) box.addEventListener("mousedown", keepSelection);
    palette.addEventListener("click", (event) => {
      const button = event.target.closest(".span-label");
      if (button) this.take(Number(button.dataset.label), { pen: true });
    });
    palette.addEventListener("keydown", (event) => this.walk(event, palette));
    this.bar.addEventListener("keydown", (event) => this.walk(event, this.bar));
    this.bar.addEventListener("click", (event) => this.act(event.target.closest("[data-act]")?.dataset.act));
    document.getElementById("span-guesses").addEventListener("click", (event) => this.act(event.target.closest("[data-act]")?.dataset.act));
    document.getElementById("span-nothing").addEventListener("click", () => this.sayNothing(!this.nothing));
    new ResizeObserver(() => { if (this.layer && this.stage.clientWidth !== this.width) { this.layer.moved(); this.draw(); } }).observe(document.getElementById("text-slot"));
    document.addEventListener("scroll", () => this.layer?.scrolled(), { capture: true, passive: true });
    document.fonts?.ready.then(() => { if (this.layer) { this.layer.moved(); this.draw(); } });
  }

  // a toolbar is one stop of the Tab key; the arrows walk in it
  walk(event, box) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName !== "BUTTON" || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const buttons = [...box.querySelectorAll("button:not([hidden])")].filter((button) => button.offsetParent);
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    event.preventDefault();
    for (const button of box.querySelectorAll("button")) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  }

  name(id) {
    return this.labels.get(id)?.name || "?";
  }

  colour(id) {
    return this.labels.get(id)?.color || 9;
  }

  // there is no text, or its answer is on its way
  get idle() {
    const { form } = this.root;
    return !this.marks || form.hidden || form.ariaBusy === "true";
  }

  // --- a kind's parts ---

  show(card) {
    this.card = card;
    this.reading = card.text;
    this.stage = this.setUp(card.text);
    const { SpanLayer, SpanMarks, SpanPaint, SpanText } = Marginalia.label;
    this.text = card.spanText ??= new SpanText(this.reading.textContent, { language: this.reading.lang });
    this.marks = new SpanMarks(this.text, { overlapping: this.overlapping });
    this.paint?.forget();
    this.paint = SpanPaint.for(this.reading);
    this.layer?.svg.remove();
    this.layer = new SpanLayer({ stage: this.stage, reading: this.reading, paint: this.paint, text: this.text });
    this.hand.hold(this.reading, this.layer);
    this.fill(card.answer?.spans || [], card.answer ? [] : card.suggestion?.spans || []);
    this.nothing = Boolean(card.answer?.spans && !card.answer.spans.length);
    this.touched = false;
    this.draw();
  }

  fill(spans, guesses) {
    const known = ({ label }) => this.labels.has(label);
    this.marks.load(spans, guesses.filter(known));
  }

  setUp(reading) {
    if (reading.parentNode.classList.contains("spans-stage")) return reading.parentNode;
    const stage = document.createElement("div");
    stage.className = "spans-stage";
    reading.replaceWith(stage);
    stage.append(reading);
    reading.tabIndex = 0;
    for (const [name, value] of Object.entries({ role: "textbox", "aria-readonly": "true", "aria-multiline": "true", "aria-labelledby": "item-heading", "aria-describedby": "span-help" })) reading.setAttribute(name, value);
    return stage;
  }

  // an answer that is half made must not be left out because a flag would do
  get begun() {
    return this.marks.marked.length > 0;
  }

  get problem() {
    const open = this.marks.guesses.length;
    if (open) return this.told.open.replace("{n}", open);
    this.sayNothing(true, { quiet: true }); // Enter once more is the answer
    return this.told.nothing;
  }

  fields() {
    if (this.marks.guesses.length || (!this.marks.spans.length && !this.nothing)) return null;
    return { spans: JSON.stringify(this.marks.value()), text_hash: this.card.hash };
  }

  words() {
    const n = this.marks.marked.length;
    return n ? this.told[n === 1 ? "one" : "many"].replace("{n}", n) : this.told.none;
  }

  draft() {
    return { ...this.marks.draft(), nothing: this.nothing };
  }

  restore(draft) {
    this.fill(draft.spans || [], draft.guesses || []);
    this.nothing = Boolean(draft.nothing);
    this.touched = true;
    this.draw();
  }

  // for the palette: labels that no key is left for
  choices() {
    const having = new Set(this.keys.values());
    return [...this.labels.values()].filter(({ id }) => !having.has(id)).map(({ id, name }) => ({ name, run: () => this.take(id) }));
  }

  bindKeys(keys) {
    const { told } = this;
    for (const [key, id] of this.keys) keys.register({ action: `label-${id}`, key, label: this.name(id), run: () => this.take(id) });
    const show = (action, key, label) => keys.register({ action, key, label, run: () => false });
    show("span-move", "← →", told.helpMove);
    show("span-extend", "⇧ ← →", told.helpExtend);
    show("span-word", "Ctrl ← →", told.helpWord);
    show("span-turn", "␣", told.helpTurn);
    for (const [key, step] of [["]", 1], ["[", -1]]) keys.register({ action: `span-hop${step}`, key, label: step > 0 ? told.helpNext : told.helpPrevious, repeats: true, run: () => this.hop(step) });
    for (const key of ["Delete", "Backspace"]) keys.register({ action: `span-${key}`, key, hidden: key === "Backspace", label: told.helpDelete, run: () => this.act("delete") });
    keys.register({ action: "accept", label: told.helpAccept, run: () => this.act(this.marks.selected?.guess ? "accept" : "acceptAll") });
    keys.register({ action: "reject", label: told.helpReject, run: () => this.act(this.marks.selected?.guess ? "reject" : "rejectAll") });
    if (this.search) keys.register({ action: "search", label: told.helpSearch, run: () => this.search.open() });
  }

  // --- what a person does ---

  // the selection, the selected span or the word at the caret gets this label; with nothing of that the pointer has it
  take(id, { pen = false } = {}) {
    if (this.idle) return;
    if (pen && !this.marks.placed || this.pen !== null && !this.marks.selecting && !this.marks.selected) { this.lift(id); return; }
    const done = this.marks.mark(id);
    if (done.problem === "nothing") this.lift(id);
    else this.did(done);
  }

  lift(id) {
    this.pen = this.pen === id ? null : id;
    this.say(this.pen === null ? this.told.penDown : this.told.pen, { label: this.name(id) });
    this.draw();
  }

  selectedByPointer() {
    if (this.pen === null || !this.marks.selecting) return;
    this.hand.drop();
    this.did(this.marks.mark(this.pen));
  }

  tap(at, hit) {
    const over = this.marks.over(hit);
    const again = over.indexOf(this.marks.selected);
    if (over.length) this.marks.select(over[(again + 1) % over.length]); // the same place again: the one around it
    else this.marks.place(at);
    this.did({}, { extend: true, quiet: !over.length });
  }

  goTo(span) {
    this.hand.drop();
    this.marks.select(span);
    this.did({}, { extend: true });
  }

  hop(step) {
    if (this.idle) return false;
    this.hand.drop();
    if (!this.marks.hop(step)) { this.say(this.told.none); return true; }
    this.did({}, { extend: true });
    return true;
  }

  turn() {
    this.marks.turn();
    this.say(this.marks.focus >= this.marks.anchor ? this.told.endMoves : this.told.startMoves);
    this.draw();
  }

  act(name) {
    if (this.idle) return;
    const { marks } = this;
    const { selected } = marks;
    const acts = {
      accept: () => selected && marks.accept(selected),
      reject: () => selected && marks.remove(selected),
      delete: () => marks.remove(),
      acceptAll: () => marks.acceptAll(),
      rejectAll: () => marks.rejectAll(),
      startOut: () => this.pull("start", -1), startIn: () => this.pull("start", 1),
      endIn: () => this.pull("end", -1), endOut: () => this.pull("end", 1),
    };
    const done = acts[name]?.();
    if (!done) return;
    // on to the next suggestion: most of them are looked at one after the other. Drawn once: a button that went in
    // between would lose the focus
    const on = name === "accept" || name === "reject";
    this.did(done, { draw: !on });
    if (on) { marks.hop(1, (span) => span.guess); this.draw({ reveal: true }); }
  }

  // one end of the selected span or the selection by a word: for hands without keys
  pull(side, direction) {
    const { marks } = this;
    const { start, end } = marks.range;
    if (start === end) return null;
    [marks.anchor, marks.focus] = side === "end" ? [start, end] : [end, start];
    return marks.step(direction, "word", true);
  }

  letGo() {
    const { marks } = this;
    if (!marks.selected && !marks.selecting && this.pen === null) return false;
    this.hand.drop();
    if (marks.selected || marks.selecting) marks.place(marks.focus);
    else this.pen = null;
    this.draw();
    return true;
  }

  undo() {
    if (!this.marks.undo()) return false;
    this.say(this.told.undone);
    this.changed();
    this.draw({ reveal: true });
    return true;
  }

  sayNothing(nothing, { quiet = false } = {}) {
    if (nothing && this.marks.spans.length) { this.say(this.told.something); return; }
    this.nothing = nothing;
    if (!quiet) this.say(nothing ? this.told.none : this.told.notNothing);
    this.changed();
    this.draw();
  }

  // --- what came of it: painted, and said ---

  did(done, { moved = "", extend = false, quiet = false, draw = true } = {}) {
    const { did, problem, span } = done || {};
    if (did) {
      this.hand.drop();
      if (this.marks.marked.length) this.nothing = false;
      this.changed();
    }
    if (problem) this.refuse(done);
    else if (did) this.say(this.told[did], { label: span && this.name(span.label), quote: span && this.quote(span), n: done.n });
    else if (!quiet) this.say(this.where(moved, extend));
    if (draw) this.draw({ reveal: Boolean(moved || did || extend) });
  }

  changed() {
    this.touched = true;
    this.root.dispatchEvent(new Event("input", { bubbles: true })); // a draft is kept of it
  }

  refuse({ problem, other }) {
    const sentence = (this.told[problem] || "").replace("{label}", other ? this.name(other.label) : "").replace("{quote}", other ? this.quote(other) : "");
    this.say(sentence);
    if (["overlap", "blank", "twice"].includes(problem)) this.note = sentence;
  }

  quote(span) {
    return Marginalia.label.SpanList.short(this.text.slice(span));
  }

  say(sentence, { label = "", quote = "", n = "" } = {}) {
    Marginalia.announce((sentence || "").replace("{label}", label).replace("{quote}", quote).replace("{n}", n));
  }

  // what a screen reader would say of the caret in a field
  where(moved, extend) {
    const { marks, text } = this;
    if (marks.selected) {
      const { selected } = marks;
      return this.told[selected.guess ? "onGuess" : "onSpan"].replace("{label}", this.name(selected.label)).replace("{quote}", this.quote(selected))
        .replace("{k}", marks.spans.indexOf(selected) + 1).replace("{n}", marks.spans.length);
    }
    if (extend) return this.told.selection.replace("{quote}", this.quote(marks.range));
    const word = moved === "word" && marks.focus < text.length ? text.word(marks.focus) : null;
    const here = text.text.slice(marks.focus, word ? word.end : text.after(marks.focus));
    const read = { "": this.told.end, " ": this.told.blankSpace, "\n": this.told.newLine }[here] ?? here;
    const names = marks.over(marks.focus).map((span) => this.name(span.label));
    return names.length ? `${read} (${names.join(", ")})` : read;
  }

  draw({ reveal = false } = {}) {
    const { marks } = this;
    const held = this.held();
    const selection = marks.selecting ? marks.range : null;
    const caret = marks.placed && (document.activeElement === this.reading || marks.selecting || marks.selected) ? marks.focus : null;
    const name = (id) => this.name(id);
    const colour = (id) => this.colour(id);
    this.paint.paint(marks.spans, colour, marks.selected, selection);
    this.list.draw(marks.spans, marks.selected, this.text);
    this.drawBar(selection);
    this.drawPalette();
    this.layer.draw({ spans: marks.spans, selected: marks.selected, caret, name, colour });
    this.width = this.layer.stage.clientWidth;
    if (reveal && caret !== null) this.layer.reveal();
    this.list.reveal();
    held?.();
  }

  // a button that what it did has taken away leaves the focus to its neighbour; asked before anything is drawn
  held() {
    const { activeElement } = document;
    if (this.list.list.contains(activeElement)) {
      const at = this.list.placeOf(activeElement);
      return () => { if (!activeElement.isConnected && !this.list.focus(at)) this.reading.focus({ preventScroll: true }); };
    }
    if (activeElement?.closest("#span-bar, #span-guesses")) return () => { if (activeElement.closest("[hidden]")) this.reading.focus({ preventScroll: true }); };
    return null;
  }

  drawBar(selection) {
    const { selected } = this.marks;
    const guess = Boolean(selected?.guess);
    const about = selected || selection;
    document.getElementById("span-what").textContent = this.note || (selected ? this.name(selected.label) : selection ? this.told.chosen : this.pen !== null ? this.told.penShown.replace("{label}", this.name(this.pen)) : this.told.hint);
    const quote = document.getElementById("span-quote");
    quote.textContent = about && !this.note ? this.quote(about) : "";
    quote.hidden = !quote.textContent;
    this.note = "";
    this.bar.dataset.state = guess ? "guess" : selected ? "span" : selection ? "selection" : "";
    for (const button of this.bar.querySelectorAll("button[data-for]")) button.hidden = !button.dataset.for.split(" ").includes(this.bar.dataset.state);
    const buttons = [...this.bar.querySelectorAll("button:not([hidden])")];
    if (!buttons.some((button) => button.tabIndex === 0)) for (const [at, button] of buttons.entries()) button.tabIndex = at ? -1 : 0;
    const nothing = document.getElementById("span-nothing");
    nothing.hidden = this.marks.spans.length > 0;
    nothing.setAttribute("aria-pressed", String(this.nothing));
  }

  drawPalette() {
    const of = this.marks.selected?.label;
    const count = new Map();
    for (const { label } of this.marks.marked) count.set(label, (count.get(label) || 0) + 1);
    for (const [id, button] of this.buttons) {
      const pressed = String(id === of || id === this.pen);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
      const told = count.has(id) ? String(count.get(id)) : "";
      const place = button.querySelector(".num");
      if (place.textContent !== told) place.textContent = told;
    }
  }
};
