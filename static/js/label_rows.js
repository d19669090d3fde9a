// The rows to choose from: which are in sight for this text, in what order, with which key and how likely each is.
// What a row means when it is taken is the kind's business (label_single.js, label_multi.js).
"use strict";

Marginalia.label.Rows = class {
  static FEW = 10; // up to so many labels every one keeps its place and has its key

  constructor({ labels, taken, digits = "1234567890" }) {
    this.labels = labels;
    this.free = digits;
    this.byId = new Map(labels.map((label) => [label.id, label]));
    this.box = document.getElementById("answers");
    this.likely = document.getElementById("likely");
    this.rest = document.getElementById("rest");
    this.all = document.getElementById("show-all");
    this.rows = new Map(labels.map((label) => [label.id, this.box.querySelector(`.answer[data-label="${label.id}"]`)]));
    this.many = labels.length > Marginalia.label.Rows.FEW;
    this.letters = new Map(labels.filter((label) => label.key && !taken.has(label.key.toLowerCase())).map((label) => [label.key.toLowerCase(), label.id]));
    this.digits = new Map();
    this.likelihood = new Map();
    this.moved = [];
    this.wide = false;
    document.getElementById("other").hidden = !this.many;
    this.all.addEventListener("click", () => { this.wide = !this.wide; this.fold(); });
    this.settle();
  }

  // without scripts the likeliest come first; here they are fetched from their places text by text
  settle() {
    this.homes = new Map();
    for (const label of this.labels) {
      const home = this.rest.querySelector(`.label-group[data-group="${CSS.escape(label.group)}"]`) || this.rest;
      this.homes.set(label.id, home);
    }
    for (const label of this.labels) this.homes.get(label.id).append(this.rows.get(label.id));
  }

  name(id) {
    return this.byId.get(id)?.name || "";
  }

  input(id) {
    return this.rows.get(id).querySelector("input");
  }

  // pairs: [label, probability], likeliest first
  show(pairs) {
    this.clear();
    this.likelihood = new Map(pairs.filter(([id]) => this.rows.has(id)));
    for (const [id, p] of this.likelihood) this.weigh(id, p);
    this.blind = !this.likelihood.size;
    if (this.many) for (const id of this.likelihood.keys()) this.raise(id);
    this.fold();
    this.spread();
  }

  clear() {
    for (const id of this.likelihood.keys()) this.weigh(id, null);
    for (const id of this.moved.splice(0)) this.putBack(id);
    for (const cap of this.capped || []) cap.textContent = "";
  }

  // among the likeliest, where it stays in sight
  raise(id) {
    if (this.moved.includes(id)) return;
    this.moved.push(id);
    const { activeElement } = document;
    this.likely.append(this.rows.get(id));
    if (this.rows.get(id).contains(activeElement)) activeElement.focus({ preventScroll: true }); // a move takes it away
  }

  putBack(id) {
    const home = this.homes.get(id);
    const later = this.labels.slice(this.labels.findIndex((label) => label.id === id) + 1);
    const next = later.map((label) => this.rows.get(label.id)).find((row) => row.parentNode === home);
    home.insertBefore(this.rows.get(id), next || null);
  }

  weigh(id, p) {
    const row = this.rows.get(id);
    const bar = row.querySelector("progress");
    bar.hidden = p === null;
    bar.value = p === null ? 0 : Math.round(100 * p);
    row.querySelector(".num").textContent = p === null ? "" : Marginalia.words.percent.replace("{n}", Math.round(100 * p));
  }

  // with many labels and a suggestion the rest is one keystroke away instead of in sight
  fold() {
    const open = !this.many || this.blind || this.wide;
    this.rest.hidden = !open;
    this.box.classList.toggle("listed", open && this.many);
    this.all.hidden = !this.many || this.blind;
    this.all.setAttribute("aria-expanded", String(open));
  }

  spread() {
    const ranked = this.many && !this.blind;
    this.digits.clear();
    const free = [...this.free];
    const take = (digit, id) => { this.digits.set(digit, id); free.splice(free.indexOf(digit), 1); };
    if (ranked) {
      for (const id of this.likelihood.keys()) if (free.length) take(free[0], id);
    } else {
      for (const [key, id] of this.letters) if (free.includes(key)) take(key, id);
      // among many labels without a suggestion a number that means "likeliest" elsewhere must not mean "first in the list"
      const numbered = new Set(this.digits.values());
      if (!this.many) for (const label of this.labels) if (!numbered.has(label.id) && free.length) take(free[0], label.id);
    }
    this.capped = [];
    // a number means the row's place in a list of likeliest; elsewhere a label's own letter is the better reminder
    for (const [digit, id] of this.digits) this.cap(id, digit);
    if (!ranked) for (const [key, id] of this.letters) this.cap(id, key);
  }

  cap(id, key) {
    const cap = this.rows.get(id).querySelector("kbd");
    cap.textContent = Marginalia.keys.shown(key);
    this.capped.push(cap);
  }

  // a key each for what is in sight: `take` gets the label
  bind(keys, take) {
    for (const digit of this.free) {
      keys.register({ action: `digit-${digit}`, key: digit, hidden: true, run: () => {
        const id = this.digits.get(digit);
        if (id === undefined) return false;
        take(id);
        return true;
      } });
    }
    for (const [key, id] of this.letters) {
      if (!/\d/.test(key)) keys.register({ action: `label-${id}`, key, label: this.name(id), run: () => take(id) });
    }
  }

  // for the palette; those that have a key of their own are there already
  choices(take) {
    const keys = new Map([...this.digits].map(([digit, id]) => [id, digit]));
    return this.labels.filter((label) => !label.key || /\d/.test(label.key) || !this.letters.has(label.key.toLowerCase()))
      .map((label) => ({ name: label.name, key: keys.get(label.id), teaches: keys.has(label.id), run: () => take(label.id) }));
  }
};
