// What lies over the text: the caret, the outline of the selected span, each span's label in small. An SVG, because its
// places are attributes and not styles. Nobody reads it aloud: the list of spans says the same.
"use strict";

Marginalia.label ??= {};

Marginalia.label.SpanLayer = class {
  static TAG = 11; // px
  static SVG = "http://www.w3.org/2000/svg";

  constructor({ stage, reading, paint, text }) {
    Object.assign(this, { stage, reading, paint, text });
    this.boxes = new Map(); // start and end -> the box of the first line
    this.tags = new Map(); // span -> its text element
    this.widths = new Map();
    this.svg = this.element("svg", { class: "spans-layer", "aria-hidden": "true", focusable: "false" });
    this.outlines = this.svg.appendChild(this.element("g", { class: "span-outline" }));
    this.labels = this.svg.appendChild(this.element("g", { class: "span-tags" }));
    this.caret = this.svg.appendChild(this.element("rect", { class: "span-caret", width: 2, rx: 1 }));
    stage.append(this.svg);
    this.pen = document.createElement("canvas").getContext("2d");
    this.pen.font = `600 ${Marginalia.label.SpanLayer.TAG}px ${getComputedStyle(document.body).fontFamily}`;
  }

  element(name, attributes) {
    const made = document.createElementNS(Marginalia.label.SpanLayer.SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // --- where things are, in pixels of the stage ---

  rects(start, end) {
    const range = document.createRange();
    range.setStart(...this.paint.point(start));
    range.setEnd(...this.paint.point(end));
    const found = [];
    for (const { left, top, width, height } of range.getClientRects()) {
      if (!width && start !== end) continue;
      const before = found.at(-1);
      // segments of one line make one box
      if (before && Math.abs(before.top - top) < height / 2 && Math.abs(before.left + before.width - left) < 2) before.width += width;
      else found.push({ left, top, width, height });
    }
    const origin = this.stage.getBoundingClientRect();
    return found.map((rect) => ({ ...rect, left: rect.left - origin.left, top: rect.top - origin.top }));
  }

  box(at) {
    const [own] = this.rects(at, at);
    if (own) return own;
    const next = this.text.after(at) > at ? this.rects(at, this.text.after(at))[0] : null;
    if (next) return { ...next, width: 0 };
    const last = this.text.before(at) < at ? this.rects(this.text.before(at), at).at(-1) : null;
    return last ? { ...last, left: last.left + last.width, width: 0 } : { left: 0, top: 0, width: 0, height: 20 };
  }

  // the place in the line above or below that is nearest to `goal`, a distance from the left
  vertical(at, direction, goal) {
    const from = this.box(at);
    let [place, line, best] = [at, null, null];
    for (;;) {
      const next = direction > 0 ? this.text.after(place) : this.text.before(place);
      if (next === place) break;
      place = next;
      const box = this.box(place);
      if (line === null && direction * (box.top - from.top) <= from.height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > box.height / 2) break;
      if (!best || Math.abs(box.left - goal) < best.off) best = { at: place, off: Math.abs(box.left - goal) };
    }
    return best ? best.at : direction > 0 ? this.text.length : 0;
  }

  lineEdge(at, direction) {
    const { top, height } = this.box(at);
    for (let place = at; ;) {
      const next = direction > 0 ? this.text.after(place) : this.text.before(place);
      if (next === place || Math.abs(this.box(next).top - top) > height / 2) return place;
      place = next;
    }
  }

  at(x, y) {
    const found = document.caretPositionFromPoint?.(x, y);
    const [node, offset] = found ? [found.offsetNode, found.offset] : (({ startContainer, startOffset } = {}) => [startContainer, startOffset])(document.caretRangeFromPoint?.(x, y));
    return node && this.reading.contains(node) ? this.paint.offset(node, offset) : null;
  }

  // --- drawing ---

  draw({ spans, selected, caret, name, colour }) {
    this.drawTags(spans, name, colour);
    this.outlines.replaceChildren(...(selected ? this.rects(selected.start, selected.end) : []).map(({ left, top, width, height }) =>
      this.element("rect", { x: left - 2, y: top - 1, width: width + 4, height: height + 2, rx: 3, class: `label-${colour(selected.label)}` })));
    this.caret.classList.toggle("hidden", caret === null);
    if (caret === null) return;
    const { left, top, height } = this.box(caret);
    for (const [key, value] of [["x", left - 1], ["y", top], ["height", height]]) this.caret.setAttribute(key, value);
    // it stands still while it moves and blinks when it rests: another animation of the same kind starts anew
    this.beat = !this.beat;
    this.caret.classList.toggle("blink", this.beat);
    this.caret.classList.toggle("blink-again", !this.beat);
  }

  // names in small over what is in sight, as much of each as there is room for
  drawTags(spans, name, colour) {
    this.again = () => this.drawTags(spans, name, colour);
    const [top, bottom] = this.inSight();
    const shown = spans.map((span) => ({ span, box: this.place(span) })).filter(({ box }) => box && box.top > top && box.top < bottom)
      .sort((a, b) => a.box.top - b.box.top || a.box.left - b.box.left || b.span.end - a.span.end);
    const here = new Set(shown.map(({ span }) => span));
    const width = this.stage.clientWidth; // once: a look at the layout between two tags would lay out anew for each
    for (const [span, tag] of this.tags) if (!here.has(span)) { tag.remove(); this.tags.delete(span); }
    let [line, right] = [null, 0];
    for (const [place, { span, box }] of shown.entries()) {
      if (line === null || Math.abs(box.top - line) > box.height / 2) [line, right] = [box.top, -Infinity];
      // a name has its room to the right of where its span begins, or ends with the line
      const full = `${name(span.label)}${span.guess ? " ?" : ""}`;
      const x = Math.max(Math.min(box.left, Math.max(0, width - this.width(full))), right);
      const follower = shown.slice(place + 1, place + 8).find(({ box: other }) => other.left > x + 1 && Math.abs(other.top - line) <= box.height / 2);
      const words = this.fit(full, follower ? follower.box.left - x - 4 : width - x);
      this.tag(span, words, x, box.top - 2, colour);
      if (words) right = x + this.width(words) + 5;
    }
  }

  // where a span's first line is; the same for any span of the same ends
  place({ start, end }) {
    const ends = `${start} ${end}`;
    if (!this.boxes.has(ends)) this.boxes.set(ends, this.rects(start, end)[0] || null);
    return this.boxes.get(ends);
  }

  inSight() {
    const [stage, slot] = [this.stage.getBoundingClientRect(), this.stage.parentNode.getBoundingClientRect()];
    return [Math.max(slot.top, 0) - stage.top - 200, Math.min(slot.bottom, innerHeight) - stage.top + 200];
  }

  scrolled() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint.scrolled?.(); this.again?.(); });
  }

  tag(span, words, x, y, colour) {
    let tag = this.tags.get(span);
    if (!tag) {
      tag = this.labels.appendChild(this.element("text", { class: `label-${colour(span.label)}` }));
      this.tags.set(span, tag);
    }
    const told = `${words} ${x} ${y}`;
    if (tag.told === told) return;
    tag.told = told;
    tag.textContent = words;
    tag.setAttribute("x", x);
    tag.setAttribute("y", y);
  }

  width(words) {
    if (!this.widths.has(words)) this.widths.set(words, this.pen.measureText(words).width);
    return this.widths.get(words);
  }

  // as much of a name as there is room for; nothing rather than one letter
  fit(words, room) {
    if (this.width(words) <= room) return words;
    const letters = Array.from(words);
    for (let n = letters.length - 1; n > 1; n -= 1) {
      const short = `${letters.slice(0, n).join("")}…`;
      if (this.width(short) <= room) return short;
    }
    return "";
  }

  // the text has another width, or another font: every place is another
  moved() {
    this.boxes.clear();
  }

  reveal() {
    this.caret.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
};
