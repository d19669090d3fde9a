// Spans on the text. The CSS Custom Highlight API colours a text without touching it: one Highlight per label colour and
// depth. Where a browser does not have it, the text is split into segments. Both show depth as stacked underlines.
"use strict";

Marginalia.label ??= {};

Marginalia.label.SpanPaint = class {
  static DEEPEST = 3;

  static for(reading) {
    const { SpanHighlights, SpanSegments } = Marginalia.label;
    return window.Highlight && CSS.highlights ? new SpanHighlights(reading) : new SpanSegments(reading);
  }

  // how many others each span lies in or upon, so that its underline finds a row of its own
  static depths(spans) {
    const ends = []; // per row, where its last span ends
    return new Map(spans.map((span) => {
      let row = ends.findIndex((end) => end <= span.start);
      if (row < 0) row = ends.length;
      ends[row] = span.end;
      return [span, Math.min(row, Marginalia.label.SpanPaint.DEEPEST - 1)];
    }));
  }
};

Marginalia.label.SpanHighlights = class {
  constructor(reading) {
    this.reading = reading;
    this.used = new Map(); // name -> Highlight, ours
    this.painted = new Map(); // span -> {name, range}
    this.selection = null;
  }

  highlight(name, priority = 0) {
    if (!this.used.has(name)) {
      const made = new Highlight();
      made.priority = priority;
      this.used.set(name, made);
      CSS.highlights.set(name, made);
    }
    return this.used.get(name);
  }

  range(start, end) {
    const [node] = this.reading.childNodes;
    return new StaticRange({ startContainer: node, startOffset: start, endContainer: node, endOffset: end });
  }

  paint(spans, colour, selected, selection) {
    const depths = Marginalia.label.SpanPaint.depths(spans);
    const wanted = new Map(spans.map((span) => [span, `${span.guess ? "guess" : "span"}-${colour(span.label)}-${depths.get(span)}`]));
    for (const [span, { name, range }] of this.painted) {
      if (wanted.get(span) === name) continue;
      this.used.get(name).delete(range);
      this.painted.delete(span);
    }
    for (const [span, name] of wanted) {
      if (this.painted.has(span)) continue;
      const range = this.range(span.start, span.end);
      this.highlight(name, depths.get(span)).add(range);
      this.painted.set(span, { name, range });
    }
    this.mark("span-selected", selected, 8);
    this.mark("span-selection", selection, 9);
  }

  mark(name, place, priority) {
    const [old] = this.highlight(name, priority);
    if (old && place && old.startOffset === place.start && old.endOffset === place.end) return;
    this.highlight(name).clear();
    if (place && place.start < place.end) this.highlight(name).add(this.range(place.start, place.end));
  }

  offset(node, at) {
    return node === this.reading.firstChild ? at : Marginalia.label.SpanSegments.count(this.reading, node, at);
  }

  // where an offset of the text lies in the page
  point(at) {
    return [this.reading.firstChild, at];
  }

  forget() {
    for (const name of this.used.keys()) CSS.highlights.delete(name);
    this.used.clear();
    this.painted.clear();
  }
};

// Every segment is a node of its own, with one element around the other for the spans that cover it; they share nothing.
// So a mark changes the segments it touches, and the browser keeps what it knows of all others. Where there are many, only
// those in sight are split off, with a screen and a half around them: the others would be laid out with every mark.
Marginalia.label.SpanSegments = class {
  static ALL = 120; // so many spans are split off wherever they are

  constructor(reading) {
    this.reading = reading;
    this.text = reading.textContent;
    this.forget();
  }

  static count(reading, node, at) {
    const before = document.createRange();
    before.setStart(reading, 0);
    before.setEnd(node, at);
    return before.toString().length;
  }

  // the browser's own selection shows ours here: splitting the text at every step would be slow
  paint(spans, colour, selected, selection) {
    this.colour = colour;
    if (spans !== this.painted) this.split(spans);
    this.painted = spans;
    if (selection) getSelection().setBaseAndExtent(...this.point(selection.start), ...this.point(selection.end));
  }

  split(all) {
    const depths = Marginalia.label.SpanPaint.depths(all);
    if (all.length <= Marginalia.label.SpanSegments.ALL) this.near = null;
    else this.near ??= this.sight(1.5);
    const { from, to } = this.near || { from: 0, to: this.text.length };
    this.swap(this.cut(all.filter(({ start, end }) => start < to && from < end), depths));
  }

  scrolled() {
    if (!this.near) return;
    const { from, to } = this.sight(0.2);
    if (this.near.from <= from && to <= this.near.to) return;
    this.near = this.sight(1.5);
    this.split(this.painted);
  }

  // from which offset to which the text can be seen, and `more` times as much above and below
  sight(more) {
    const { top, bottom } = (this.reading.closest("#text-slot") || this.reading).getBoundingClientRect();
    const [high, low] = [Math.max(top, 0), Math.min(bottom, innerHeight)];
    const room = more * Math.max(low - high, 300);
    return { from: this.reaching(high - room), to: this.reaching(low + room) };
  }

  // the first offset whose line reaches below a height on the screen
  reaching(y) {
    const range = document.createRange();
    let [low, high] = [0, this.text.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const [node, at] = this.point(middle);
      range.setStart(node, at);
      range.setEnd(node, Math.min(at + 1, node.length));
      if (range.getBoundingClientRect().bottom < y) low = middle + 1; else high = middle;
    }
    return low;
  }

  // from cut to cut: where a segment lies and what covers it, the outermost first
  cut(spans, depths) {
    const cuts = [...new Set([0, this.text.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
    let [over, next] = [[], 0];
    return cuts.slice(0, -1).map((start, at) => {
      over = over.filter((span) => span.end > start);
      while (spans[next]?.start === start) { over.push(spans[next]); next += 1; }
      return { start, end: cuts[at + 1], looks: over.map((span) => `seg ${span.guess ? "guess" : "span"} label-${this.colour(span.label)} depth-${depths.get(span)}`) };
    });
  }

  swap(wanted) {
    const name = ({ start, end, looks }) => `${start} ${end} ${looks}`;
    const before = new Map(this.pieces.map((piece) => [name(piece), piece]));
    this.pieces = wanted.map((piece) => before.get(name(piece)) || this.make(piece));
    const kept = new Set(this.pieces);
    for (const piece of before.values()) if (!kept.has(piece)) piece.outer.remove();
    let place = this.reading.firstChild;
    for (const { outer } of this.pieces) {
      if (outer === place) place = place.nextSibling;
      else this.reading.insertBefore(outer, place);
    }
    this.starts = new Map(this.pieces.map(({ node, start }) => [node, start]));
  }

  make({ start, end, looks }) {
    const node = document.createTextNode(this.text.slice(start, end));
    return { start, end, looks, node, outer: looks.reduceRight((inner, look) => this.wrap(inner, look), node) };
  }

  wrap(inner, name) {
    const outer = document.createElement("span");
    outer.className = name;
    outer.append(inner);
    return outer;
  }

  offset(node, at) {
    const start = this.starts.get(node);
    return start === undefined ? Marginalia.label.SpanSegments.count(this.reading, node, at) : start + at;
  }

  point(at) {
    let [low, high] = [0, this.pieces.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].start <= at) low = middle; else high = middle;
    }
    const { node, start } = this.pieces[low];
    return [node, Math.min(at - start, node.length)];
  }

  forget() {
    this.reading.textContent = this.text;
    this.pieces = [{ start: 0, end: this.text.length, looks: [], node: this.reading.firstChild, outer: this.reading.firstChild }];
    this.starts = new Map([[this.reading.firstChild, 0]]);
    this.painted = this.near = null;
  }
};
