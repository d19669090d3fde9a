// The radio buttons: which are in sight for this text, in what order, with which key, which one is chosen.
"use strict";

Marginalia.label.Answers = class {
  static FEW = 10; // up to so many labels every one keeps its place and has its key

  constructor({ labels, taken }) {
    this.labels = labels;
    this.byId = new Map(labels.map((label) => [label.id, label]));
    this.box = document.getElementById("answers");
    this.likely = document.getElementById("likely");
    this.rest = document.getElementById("rest");
    this.all = document.getElementById("show-all");
    this.order = labels.map((label) => document.querySelector(`.answer[data-label="${label.id}"]`));
    this.rows = new Map(labels.map((label, at) => [label.id, this.order[at]]));
    this.many = labels.length > Marginalia.label.Answers.FEW;
    this.letters = new Map(labels.filter((label) => label.key && !taken.has(label.key.toLowerCase())).map((label) => [label.key.toLowerCase(), label.id]));
    this.digits = new Map();
    this.likelihood = new Map();
    this.touched = [];
    this.wide = false;
    document.getElementById("other").hidden = !this.many;
    this.all.addEventListener("click", () => { this.wide = !this.wide; this.fold(); });
  }

  name(id) {
    return this.byId.get(id)?.name || "";
  }

  show(card, chosen) {
    const pairs = [...new Map(card.pairs)].filter(([id]) => this.rows.has(id));
    this.clear();
    this.likelihood = new Map(pairs);
    for (const [id, p] of pairs) this.weigh(this.rows.get(id), p);
    this.touched = pairs.map(([id]) => this.rows.get(id));
    if (this.many && pairs.length) this.likely.append(...this.touched);
    this.blind = pairs.length === 0;
    this.fold();
    this.spread(pairs);
    this.choose(chosen ?? pairs[0]?.[0] ?? null);
  }

  clear() {
    for (const row of this.touched) {
      this.weigh(row, null);
      if (row.parentNode === this.likely) this.putBack(row);
    }
    for (const cap of this.capped || []) cap.textContent = "";
  }

  putBack(row) {
    const after = this.order.slice(this.order.indexOf(row) + 1).find((other) => other.parentNode === this.rest);
    this.rest.insertBefore(row, after || null);
  }

  weigh(row, p) {
    const bar = row.querySelector("progress");
    bar.hidden = p === null;
    bar.value = p === null ? 0 : Math.round(100 * p);
    row.querySelector(".num").textContent = p === null ? "" : `${Math.round(100 * p)} %`;
  }

  // with many labels and a suggestion the rest is one keystroke away instead of in sight
  fold() {
    const open = !this.many || this.blind || this.wide;
    this.rest.hidden = !open;
    this.box.classList.toggle("listed", open && this.many);
    this.all.hidden = !this.many || this.blind;
    this.all.setAttribute("aria-expanded", String(open));
  }

  spread(pairs) {
    this.digits.clear();
    const free = [..."1234567890"];
    const take = (digit, id) => { this.digits.set(digit, id); free.splice(free.indexOf(digit), 1); };
    if (this.many && pairs.length) {
      for (const [id] of pairs) if (free.length) take(free[0], id);
    } else {
      for (const [key, id] of this.letters) if (free.includes(key)) take(key, id);
      // among many labels without a suggestion a number that means "likeliest" elsewhere must not mean "first in the list"
      const numbered = new Set(this.digits.values());
      if (!this.many) for (const label of this.labels) if (!numbered.has(label.id) && free.length) take(free[0], label.id);
    }
    this.capped = [];
    // a number means the row's place in a list of likeliest; elsewhere a label's own letter is the better reminder
    for (const [digit, id] of this.digits) this.cap(id, digit);
    if (!(this.many && pairs.length)) for (const [key, id] of this.letters) this.cap(id, key);
  }

  cap(id, key) {
    const cap = this.rows.get(id).querySelector("kbd");
    cap.textContent = Marginalia.keys.shown(key);
    this.capped.push(cap);
  }

  choose(id) {
    if (id !== null && this.rows.has(id)) {
      this.rows.get(id).querySelector("input").checked = true;
    } else {
      const chosen = document.querySelector(".answer input:checked");
      if (chosen) chosen.checked = false;
    }
  }

  get chosen() {
    const input = document.querySelector(".answer input:checked");
    return input ? Number(input.value) : null;
  }
};
