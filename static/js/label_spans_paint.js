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

Marginalia.label.SpanSegments = class {
  constructor(reading) {
    this.reading = reading;
    this.text = reading.textContent;
    this.pieces = [{ node: reading.firstChild, start: 0 }];
  }

  static count(reading, node, at) {
    const before = document.createRange();
    before.setStart(reading, 0);
    before.setEnd(node, at);
    return before.toString().length;
  }

  // the browser's own selection shows ours here: splitting the text at every step would be slow
  paint(spans, colour, selected, selection) {
    const depths = Marginalia.label.SpanPaint.depths(spans);
    const covers = spans.map((span) => ({ start: span.start, end: span.end, class: `seg ${span.guess ? "guess" : "span"} label-${colour(span.label)} depth-${depths.get(span)}` }));
    const told = JSON.stringify(covers);
    if (told !== this.told) this.split(covers);
    this.told = told;
    if (selection) getSelection().setBaseAndExtent(...this.point(selection.start), ...this.point(selection.end));
  }

  split(covers) {
    const cuts = [...new Set([0, this.text.length, ...covers.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
    const open = new Map();
    for (const cover of covers) open.set(cover.start, [...(open.get(cover.start) || []), cover]);
    let over = [];
    this.pieces = [];
    const nodes = [];
    for (let place = 0; place + 1 < cuts.length; place += 1) {
      over = [...over.filter((cover) => cover.end > cuts[place]), ...(open.get(cuts[place]) || [])];
      const node = document.createTextNode(this.text.slice(cuts[place], cuts[place + 1]));
      this.pieces.push({ node, start: cuts[place] });
      nodes.push(over.reduceRight((inner, cover) => this.wrap(inner, cover.class), node));
    }
    this.reading.replaceChildren(...nodes);
  }

  wrap(inner, name) {
    const outer = document.createElement("span");
    outer.className = name;
    outer.append(inner);
    return outer;
  }

  offset(node, at) {
    return Marginalia.label.SpanSegments.count(this.reading, node, at);
  }

  point(at) {
    const piece = this.pieces.findLast(({ start }) => start <= at) || this.pieces[0];
    return [piece.node, Math.min(at - piece.start, piece.node.length)];
  }

  forget() {
    this.reading.textContent = this.text;
  }
};
