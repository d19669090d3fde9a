// Pointer and keyboard on the text of a spans project: they move the caret, make a selection, choose a span. What comes of
// it is told to `kind` (label_spans.js).
"use strict";

Marginalia.label ??= {};

Marginalia.label.SpanHand = class {
  constructor(kind) {
    this.kind = kind;
    this.goal = null; // the column that up and down keep to
    this.pointer = "";
    // before the page's own keys: what is meant for the text is not theirs
    document.addEventListener("keydown", (event) => this.key(event), true);
    document.addEventListener("pointerdown", (event) => this.down(event), true);
    document.addEventListener("pointerup", () => this.up());
    document.addEventListener("selectionchange", () => this.changed());
  }

  // a new text has come up
  hold(reading, layer) {
    Object.assign(this, { reading, layer, goal: null });
    if (reading.dataset.held) return;
    reading.dataset.held = "yes";
    reading.addEventListener("click", (event) => this.click(event));
    reading.addEventListener("focus", () => this.kind.draw());
    reading.addEventListener("blur", () => this.kind.draw());
    reading.addEventListener("copy", (event) => this.copy(event));
  }

  get marks() {
    return this.kind.marks;
  }

  // --- keyboard ---

  ours(target) {
    return !this.kind.idle && !document.querySelector("dialog[open]")
      && (target === this.reading || target === document.body || target.id === "item-heading" || target.id === "main");
  }

  // words are jumped over with Ctrl, on a Mac with Option; Alt and arrows lead through the browser's own pages elsewhere
  static MAC = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform || navigator.platform);

  key(event) {
    if (event.isComposing || event.keyCode === 229 || !this.ours(event.target)) return;
    const jump = event.ctrlKey || event.altKey || event.metaKey;
    const done = this.arrow(event, jump) || this.other(event, jump);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  arrow(event, jump) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -1, End: 1 };
    let direction = steps[event.key];
    if (!direction || event.metaKey || (Marginalia.label.SpanHand.MAC ? event.ctrlKey : event.altKey)) return false;
    const sideways = event.key === "ArrowRight" || event.key === "ArrowLeft";
    if (sideways && getComputedStyle(this.reading).direction === "rtl") direction = -direction;
    if (jump && (event.key === "ArrowDown" || event.key === "ArrowUp")) { this.kind.hop(direction); return true; }
    if (document.activeElement !== this.reading) this.reading.focus({ preventScroll: true });
    this.drop();
    if (sideways) {
      this.goal = null;
      this.kind.did(this.marks.step(direction, jump ? "word" : "character", event.shiftKey), { moved: jump ? "word" : "character", extend: event.shiftKey });
    } else {
      const to = this.far(event.key, direction, jump);
      this.kind.did(event.shiftKey ? this.marks.stretch(to) : this.marks.place(to), { moved: "word", extend: event.shiftKey });
    }
    return true;
  }

  far(key, direction, jump) {
    const from = this.marks.focus;
    if (key === "Home" || key === "End") {
      this.goal = null;
      return jump ? this.marks.target(direction, "text") : this.layer.lineEdge(from, direction);
    }
    this.goal ??= this.layer.box(from).left;
    return this.layer.vertical(from, direction, this.goal);
  }

  other(event, jump) {
    const { kind, marks } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // what was done in this text first; what was answered before it is the page's own undo
    if (jump ? key === "z" && !event.shiftKey && !event.altKey : key === Marginalia.keys.keyOf("undo") && Marginalia.data.singleKeys !== false) return kind.undo();
    if (jump) return key === "a" && !event.altKey && event.target === this.reading ? this.all() : false;
    if (key === " " && event.target === this.reading && marks.anchor !== marks.focus) { kind.turn(); return true; }
    if (key === "Escape") return kind.letGo();
    return false;
  }

  all() {
    this.drop();
    this.marks.choose(0, this.marks.text.length);
    this.kind.did({}, { moved: "word", extend: true });
    return true;
  }

  // the browser's own selection goes where ours takes over
  drop() {
    const own = getSelection();
    if (own.rangeCount && this.reading.contains(own.anchorNode)) own.removeAllRanges();
  }

  copy(event) {
    if (!getSelection().isCollapsed || !this.marks.selecting && !this.marks.selected) return;
    event.clipboardData.setData("text/plain", this.marks.text.slice(this.marks.range));
    event.preventDefault();
  }

  // --- pointer ---

  down(event) {
    this.pointer = this.reading?.contains(event.target) && event.button === 0 ? event.pointerType : "";
    if (!this.pointer || !event.shiftKey || !this.marks.placed) return;
    // extends from our caret, which the browser does not know
    const to = this.layer.at(event.clientX, event.clientY);
    if (to === null) return;
    this.pointer = "";
    this.extended = true;
    event.preventDefault();
    this.kind.did(this.marks.stretch(to), { extend: true });
  }

  up() {
    if (this.pointer !== "mouse" && this.pointer !== "pen") return;
    this.pointer = "";
    setTimeout(() => { if (this.adopt()) this.kind.selectedByPointer(); });
  }

  // fingers pull the handles of the browser's selection: every rest of it is a selection of ours
  changed() {
    clearTimeout(this.settling);
    if (this.pointer === "mouse" || this.pointer === "pen" || !this.marks) return;
    this.settling = setTimeout(() => this.adopt(), 120);
  }

  adopt() {
    const own = getSelection();
    if (!this.marks || own.isCollapsed || !own.rangeCount) return false;
    const range = own.getRangeAt(0);
    if (!range.intersectsNode(this.reading)) return false;
    const inside = (node) => this.reading.contains(node);
    const start = inside(range.startContainer) ? this.kind.paint.offset(range.startContainer, range.startOffset) : 0;
    const end = inside(range.endContainer) ? this.kind.paint.offset(range.endContainer, range.endOffset) : this.marks.text.length;
    if (start >= end) return false;
    const { text } = this.marks;
    if (!this.marks.selected && this.marks.range.start === text.floor(start) && this.marks.range.end === text.ceil(end)) return true;
    this.goal = null;
    this.marks.choose(start, end);
    this.kind.did({}, { extend: true, quiet: true });
    return true;
  }

  click(event) {
    if (this.extended) { this.extended = false; return; }
    if (!getSelection().isCollapsed && this.marks.selecting) return;
    const at = this.layer.at(event.clientX, event.clientY);
    if (at === null) return;
    this.goal = null;
    // the caret goes to the nearer side of a character; what was meant is the character itself
    const x = event.clientX - this.reading.parentNode.getBoundingClientRect().left;
    const [next] = this.layer.rects(at, this.marks.text.after(at));
    const hit = next && next.left <= x && x <= next.left + next.width ? at : this.marks.text.before(at);
    this.reading.focus({ preventScroll: true });
    this.kind.tap(at, hit);
  }
};
