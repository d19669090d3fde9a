// What is marked in a text, what is suggested, where the caret stands. Spans are never changed, only replaced: whoever
// paints compares by identity, and taking back is putting an older list back. Nothing here knows the page.
"use strict";

Marginalia.label ??= {};

Marginalia.label.SpanMarks = class {
  static REMEMBERED = 200;
  static byPlace = (a, b) => a.start - b.start || b.end - a.end || a.id - b.id;

  constructor(text, { overlapping = false } = {}) {
    Object.assign(this, { text, overlapping, spans: [], selected: null, anchor: 0, focus: 0, placed: false });
    this.past = [];
    this.made = 0;
  }

  // spans and guesses as the server tells them, in code points
  load(spans, guesses = []) {
    const units = ({ start, end, label, score }, guess) => this.span({ start: this.text.floor(this.text.toUnits(start)), end: this.text.ceil(this.text.toUnits(end)), label, score, guess });
    const fits = (span) => span.start < span.end && !this.clash(span);
    this.spans = spans.map((given) => units(given, false)).sort(Marginalia.label.SpanMarks.byPlace);
    const likely = [...guesses].sort((a, b) => (b.score ?? 0) - (a.score ?? 0));
    for (const given of likely) { const guess = units(given, true); if (fits(guess)) this.spans = this.with(guess); }
    this.past = [];
    this.selected = null;
    [this.anchor, this.focus, this.placed] = [0, 0, false];
  }

  span({ start, end, label, guess = false, score }) {
    this.made += 1;
    return Object.freeze({ id: this.made, start, end, label, guess, score });
  }

  with(span, without = null) {
    return [...this.spans.filter((other) => other !== without), span].sort(Marginalia.label.SpanMarks.byPlace);
  }

  // --- what there is ---

  get marked() {
    return this.spans.filter((span) => !span.guess);
  }

  get guesses() {
    return this.spans.filter((span) => span.guess);
  }

  // the answer, in code points, by place
  value() {
    return this.marked.map((span) => ({
      start: this.text.toPoints(span.start), end: this.text.toPoints(span.end), label: span.label, quote: this.text.slice(span),
    }));
  }

  get range() {
    if (this.selected) return { start: this.selected.start, end: this.selected.end };
    return { start: Math.min(this.anchor, this.focus), end: Math.max(this.anchor, this.focus) };
  }

  get selecting() {
    return !this.selected && this.anchor !== this.focus;
  }

  // spans over a place, the innermost first
  over(at) {
    return this.spans.filter((span) => span.start <= at && at < span.end).sort((a, b) => (a.end - a.start) - (b.end - b.start) || b.id - a.id);
  }

  // what a span may not lie beside: the same once more, or anything it overlaps where that is not allowed
  clash(wanted, without = null) {
    return this.spans.find((span) => span !== without && (this.overlapping
      ? span.start === wanted.start && span.end === wanted.end && span.label === wanted.label
      : span.start < wanted.end && wanted.start < span.end)) || null;
  }

  // --- caret and selection ---

  place(at) {
    this.selected = null;
    this.anchor = this.focus = this.text.floor(at);
    this.placed = true;
  }

  choose(from, to) {
    this.selected = null;
    [this.anchor, this.focus] = from <= to ? [this.text.floor(from), this.text.ceil(to)] : [this.text.ceil(from), this.text.floor(to)];
    this.placed = true;
  }

  select(span) {
    this.selected = span;
    this.placed = true;
    if (span) [this.anchor, this.focus] = [span.start, span.end];
  }

  // the other end is the one that moves from now on
  turn() {
    [this.anchor, this.focus] = [this.focus, this.anchor];
    this.placed = true;
  }

  // which place a step leads to. A right end stops behind words, a left end before them.
  target(direction, unit, extend) {
    const { text, focus, anchor } = this;
    if (unit === "text") return direction > 0 ? text.length : 0;
    if (unit !== "word") return direction > 0 ? text.after(focus) : text.before(focus);
    if (direction > 0) return extend && focus >= anchor ? text.wordEndAfter(focus) : text.wordStartAfter(focus);
    return extend && focus > anchor ? text.wordEndBefore(focus) : text.wordStartBefore(focus);
  }

  // moves the caret, or with `extend` one end of the selection or of the selected span
  step(direction, unit, extend) {
    if (extend) return this.stretch(this.target(direction, unit, true));
    const leave = this.anchor !== this.focus && unit === "character";
    this.place(leave ? (direction > 0 ? this.range.end : this.range.start) : this.target(direction, unit, false));
    return {};
  }

  stretch(to) {
    const crosses = (to - this.anchor) * (this.focus - this.anchor) < 0;
    if (this.selected) return crosses ? { problem: "empty" } : this.resize(this.selected, this.anchor, to);
    this.placed = true;
    this.focus = crosses ? this.anchor : this.text[to >= this.anchor ? "ceil" : "floor"](to);
    return {};
  }

  // from the caret or the selected span to the next one, round at the end
  hop(direction, wanted = () => true) {
    const among = this.spans.filter(wanted);
    if (!among.length) return null;
    let at = this.selected ? among.indexOf(this.selected) : -1;
    if (at >= 0) at = (at + direction + among.length) % among.length;
    else if (direction > 0) at = Math.max(0, among.findIndex((span) => span.start >= this.range.start));
    else at = among.findLastIndex((span) => span.end <= this.range.start);
    this.select(among.at(at));
    return this.selected;
  }

  // --- marking ---

  // the selection, or the word at the caret; what was suggested there is overruled by a mark of one's own
  mark(label, { word = true } = {}) {
    if (this.selected) return this.relabel(this.selected, label);
    let { start, end } = this.text.tidy(this.anchor, this.focus);
    if (this.anchor === this.focus) {
      const found = word && this.placed ? this.text.wordAt(this.focus) : null;
      if (!found) return { problem: "nothing" };
      ({ start, end } = found);
    }
    if (start >= end) return { problem: "blank" };
    const same = this.spans.find((span) => span.start === start && span.end === end && (span.guess || !this.overlapping));
    if (same) { this.select(same); return this.relabel(same, label); }
    return this.add(this.span({ start, end, label }), "marked");
  }

  add(span, did, without = null) {
    const clash = [...this.spans].find((other) => other !== without && !other.guess && this.hits(span, other));
    if (clash) return { problem: this.overlapping ? "twice" : "overlap", other: clash };
    this.remember();
    this.spans = this.with(span, without).filter((other) => other === span || !other.guess || !this.hits(span, other));
    this.select(span);
    return { did, span };
  }

  hits(span, other) {
    if (!this.overlapping) return span.start < other.end && other.start < span.end;
    return span.start === other.start && span.end === other.end && (span.label === other.label || other.guess);
  }

  relabel(span, label) {
    if (span.label === label && !span.guess) return { did: "same", span };
    return this.add(this.span({ ...span, label, guess: false, score: undefined }), span.guess && span.label === label ? "accepted" : "relabelled", span);
  }

  // one end goes to another place; where spans may not overlap it stops at the neighbour
  resize(span, anchor, focus) {
    let to = focus >= anchor ? this.text.ceil(focus) : this.text.floor(focus);
    if (!this.overlapping) {
      const [low, high] = [Math.min(anchor, to), Math.max(anchor, to)];
      const inWay = this.spans.filter((other) => other !== span && !other.guess && other.start < high && low < other.end);
      if (to > anchor) to = Math.min(to, ...inWay.map((other) => other.start));
      else to = Math.max(to, ...inWay.map((other) => other.end));
    }
    const [start, end] = [Math.min(anchor, to), Math.max(anchor, to)];
    if (start === end) return { problem: "empty" };
    if (start === span.start && end === span.end) return { problem: "stuck" };
    const changed = this.add(this.span({ ...span, start, end, guess: false, score: undefined }), "resized", span);
    if (changed.span) [this.anchor, this.focus] = [anchor, to];
    return changed;
  }

  remove(span = this.selected || this.over(this.focus)[0]) {
    if (!span) return { problem: "nothing" };
    this.remember();
    this.spans = this.spans.filter((other) => other !== span);
    this.place(span.start);
    return { did: span.guess ? "rejected" : "removed", span };
  }

  // --- suggestions ---

  accept(span) {
    const answer = this.relabel(span, span.label);
    return answer.span ? { ...answer, did: "accepted" } : answer;
  }

  acceptAll() {
    const guesses = this.guesses;
    if (!guesses.length) return { problem: "none" };
    this.remember();
    const own = guesses.map((guess) => this.span({ ...guess, guess: false, score: undefined }));
    this.spans = this.marked;
    for (const span of own) if (!this.clash(span)) this.spans = this.with(span);
    this.select(null);
    this.anchor = this.focus;
    return { did: "acceptedAll", n: own.length };
  }

  rejectAll() {
    const n = this.guesses.length;
    if (!n) return { problem: "none" };
    this.remember();
    this.spans = this.marked;
    if (this.selected?.guess) this.place(this.selected.start);
    return { did: "rejectedAll", n };
  }

  // --- taking back ---

  remember() {
    this.past.push({ spans: this.spans, selected: this.selected, anchor: this.anchor, focus: this.focus });
    if (this.past.length > Marginalia.label.SpanMarks.REMEMBERED) this.past.shift();
  }

  undo() {
    const before = this.past.pop();
    if (!before) return false;
    Object.assign(this, before);
    return true;
  }

  // --- drafts ---

  draft() {
    const told = (span) => ({ start: this.text.toPoints(span.start), end: this.text.toPoints(span.end), label: span.label, score: span.score });
    return { spans: this.marked.map(told), guesses: this.guesses.map(told) };
  }
};
