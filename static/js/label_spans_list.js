// Every span with its label and its words, beside the text: what a screen reader reads, and a way to each of them. One
// stop of the Tab key; the arrows walk.
"use strict";

Marginalia.label ??= {};

Marginalia.label.SpanList = class {
  constructor({ words, name, colour, choose, open }) {
    Object.assign(this, { words, name, colour, choose, open });
    this.list = document.getElementById("span-list");
    this.count = document.getElementById("span-count");
    this.guessing = document.getElementById("span-guesses");
    this.none = document.getElementById("span-none");
    this.rows = new Map(); // span -> li
    this.spans = [];
    this.list.addEventListener("keydown", (event) => this.key(event));
    // what has the focus is what the keys are about
    this.list.addEventListener("focusin", (event) => {
      const span = this.of(event.target);
      if (span && event.target !== this.current) this.choose(span);
    });
    this.list.addEventListener("click", (event) => {
      const span = this.of(event.target);
      if (span) this.open(span);
    });
  }

  of(node) {
    const row = node.closest("li");
    return this.spans.find((span) => this.rows.get(span) === row);
  }

  draw(spans, selected, text) {
    const here = new Set(spans);
    for (const [span, row] of this.rows) if (!here.has(span)) { row.remove(); this.rows.delete(span); }
    let place = this.list.firstChild;
    for (const span of spans) {
      let row = this.rows.get(span);
      if (!row) { row = this.row(span, text); this.rows.set(span, row); }
      if (row === place) place = place.nextSibling;
      else this.list.insertBefore(row, place);
    }
    this.spans = spans;
    this.point(selected && this.rows.has(selected) ? selected : null);
    const guesses = spans.filter((span) => span.guess).length;
    this.count.textContent = String(spans.length - guesses);
    this.guessing.hidden = !guesses;
    this.guessing.querySelector("span").textContent = this.words.openGuesses.replace("{n}", guesses);
    this.none.hidden = spans.length > 0;
  }

  row(span, text) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = `span-row label-${this.colour(span.label)}${span.guess ? " guess" : ""}`;
    button.tabIndex = -1;
    const [label, quote] = [document.createElement("span"), document.createElement("q")];
    label.className = "span-name";
    label.textContent = this.name(span.label);
    quote.textContent = Marginalia.label.SpanList.short(text.slice(span));
    quote.dir = "auto";
    button.append(label, " ", quote);
    if (span.guess) {
      const state = document.createElement("span");
      state.className = "quieter";
      state.textContent = this.words.suggested;
      button.append(" ", state);
    }
    row.append(button);
    return row;
  }

  static short(quote, most = 80) {
    const letters = Array.from(quote.slice(0, 2 * most + 2).replace(/\s+/g, " "));
    return letters.length > most ? `${letters.slice(0, most).join("")}…` : letters.join("");
  }

  point(selected) {
    const current = selected && this.rows.get(selected).firstChild;
    if (this.current === current && (current || this.list.querySelector("[tabindex='0']"))) return;
    this.current?.removeAttribute("aria-current");
    for (const old of this.list.querySelectorAll("[tabindex='0']")) old.tabIndex = -1;
    this.current = current;
    current?.setAttribute("aria-current", "true");
    const stop = current || this.list.querySelector("button");
    if (stop) stop.tabIndex = 0;
    this.stale = Boolean(current);
  }

  // the list scrolls, the page stays where it is. After everything is written: it looks at the layout
  reveal() {
    if (!this.stale || !this.current) return;
    this.stale = false;
    const [row, box] = [this.current.parentNode.getBoundingClientRect(), this.list.getBoundingClientRect()];
    if (row.top < box.top) this.list.scrollTop -= box.top - row.top;
    else if (row.bottom > box.bottom) this.list.scrollTop += row.bottom - box.bottom;
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const at = this.spans.indexOf(this.of(event.target));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.spans.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (!this.spans[to]) return;
    this.choose(this.spans[to]);
    this.focus();
  }

  // on the selected span, or on the one that stands at a place now; whether there is any
  focus(at = 0) {
    const button = this.current || this.list.querySelectorAll("button")[Math.min(at, this.spans.length - 1)];
    button?.focus({ preventScroll: true });
    return Boolean(button);
  }

  placeOf(node) {
    return this.spans.indexOf(this.of(node));
  }
};
