// The list of tickets: which row is current, which are selected, and where a row was when it left.
"use strict";

Marginalia.triage = {};

Marginalia.triage.List = class {
  constructor(root) {
    this.root = root;
    this.current = 0;
    this.anchor = 0; // the other end of a selection made with Shift
  }

  get rows() {
    return [...this.root.querySelectorAll(".ticket-row")];
  }

  get numbers() {
    return this.rows.map((row) => Number(row.dataset.number));
  }

  row(number) {
    return this.root.querySelector(`#row-${number}`);
  }

  box(number) {
    return this.row(number)?.querySelector("input[type=checkbox]");
  }

  get more() {
    return this.root.querySelector("#more-tickets a");
  }

  mark(number, { scroll = true } = {}) {
    this.root.querySelector("[aria-current]")?.removeAttribute("aria-current");
    this.current = number;
    const link = this.row(number)?.querySelector("a");
    link?.setAttribute("aria-current", "true");
    if (scroll) link?.scrollIntoView({ block: "nearest" });
  }

  // the neighbour of the current row; with rows that leave, the nearest that stays, further down first
  beside(step, leaving = new Set()) {
    const numbers = this.numbers;
    let at = numbers.indexOf(this.current);
    if (at < 0) return numbers.find((number) => !leaving.has(number)) || 0;
    do at += step; while (leaving.has(numbers[at]));
    return numbers[at] || 0;
  }

  nextAfter(leaving) {
    return this.beside(1, leaving) || this.beside(-1, leaving);
  }

  // --- selection ---

  get selected() {
    return this.rows.filter((row) => row.querySelector("input").checked).map((row) => Number(row.dataset.number));
  }

  // what an action is about: the selection, or the ticket in front of the person
  get chosen() {
    const selected = this.selected;
    return selected.length ? selected : this.current ? [this.current] : [];
  }

  toggle(number, to) {
    const box = this.box(number);
    if (box) box.checked = to ?? !box.checked;
    this.anchor = number;
  }

  selectAll(to) {
    for (const row of this.rows) row.querySelector("input").checked = to;
  }

  selectTo(number) {
    const numbers = this.numbers;
    const [from, to] = [numbers.indexOf(this.anchor || this.current), numbers.indexOf(number)].sort((a, b) => a - b);
    for (const each of numbers.slice(Math.max(0, from), to + 1)) this.box(each).checked = true;
  }

  // --- rows that go and come ---

  take(numbers) {
    return numbers.map((number) => {
      const row = this.row(number);
      const place = { number, row, next: row?.nextElementSibling, at: this.numbers.indexOf(number) };
      row?.remove();
      return place;
    });
  }

  // the last that left comes back first, so that its neighbour is there already
  put(places) {
    for (const { number, row, next, at } of [...places].reverse()) {
      if (!row || this.row(number)) continue;
      row.querySelector("input").checked = false;
      const before = next?.parentNode === this.root ? next : this.rows[at] || this.root.querySelector("#more-tickets");
      this.root.insertBefore(row, before || null);
    }
  }

  // a newer picture of a row that is there already: same place, same tick, same current row
  update(fresh) {
    const number = Number(fresh.dataset.number);
    const old = this.row(number);
    if (!old) return;
    const checked = old.querySelector("input").checked;
    if (old.innerHTML !== fresh.innerHTML && !old.contains(document.activeElement)) old.replaceChildren(...fresh.childNodes);
    Object.assign(old.dataset, fresh.dataset);
    if (!("new" in fresh.dataset)) delete old.dataset.new;
    delete old.dataset.left;
    old.querySelector("input").checked = checked;
    if (number === this.current) old.querySelector("a").setAttribute("aria-current", "true");
  }

  append(piece, gone) {
    this.root.querySelector("#more-tickets")?.remove();
    for (const node of [...piece.children]) {
      const number = Number(node.dataset.number);
      if (node.id === "more-tickets" || (!this.row(number) && !gone.has(number))) this.root.append(node);
    }
  }

  replace(piece, gone) {
    const ticked = new Set(this.selected);
    this.root.replaceChildren();
    this.append(piece, gone);
    for (const number of ticked) { const box = this.box(number); if (box) box.checked = true; }
    if (this.row(this.current)) this.mark(this.current, { scroll: false });
  }

  // somebody else moved it: it keeps its place, greyed, until the person moves on
  leave(number, words) {
    const row = this.row(number);
    if (!row || "left" in row.dataset) return;
    row.dataset.left = "";
    row.querySelector("input").checked = false;
    const foot = row.querySelector(".ticket-foot");
    if (words) foot.textContent = words;
  }

  sweep() {
    for (const row of this.rows) if ("left" in row.dataset && Number(row.dataset.number) !== this.current) row.remove();
  }
};

Marginalia.triage.parse = (html) => {
  const box = document.createElement("template");
  box.innerHTML = html;
  return box.content;
};
