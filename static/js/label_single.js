// One label per text: radio buttons. A kind's parts are told in label.js.
"use strict";

Marginalia.label.kinds.single = class {
  constructor({ labels, words, taken, root, pick }) {
    Object.assign(this, { words_: words, root, pick, touched: false });
    this.rows = new Marginalia.label.Rows({ labels, taken });
    this.combobox = new Marginalia.label.Combobox({ labels, likelihood: () => this.rows.likelihood, take: (id) => this.take(id) });
    this.root.addEventListener("click", (event) => {
      const input = event.target.closest("input[type=radio]");
      // arrow keys also "click" radio buttons, with detail 0: they only choose. A click on the row arrives here through
      // its input with detail 0 as well, so the row itself is what counts.
      const row = event.target.closest(".answer");
      if (row && (!input || event.detail > 0)) { event.preventDefault(); this.take(Number(row.dataset.label)); }
    });
    this.root.addEventListener("change", () => { this.touched = true; });
  }

  show(card) {
    const pairs = Marginalia.label.pairs(card.suggestion);
    this.rows.show(pairs);
    this.choose(card.answer ?? pairs[0]?.[0] ?? null);
    this.touched = false;
  }

  take(id) {
    this.choose(id);
    this.touched = true;
    if (!this.pick()) Marginalia.announce(this.rows.name(id));
  }

  choose(id) {
    if (id !== null && this.rows.rows.has(id)) {
      this.rows.input(id).checked = true;
    } else {
      const chosen = this.root.querySelector(".answer input:checked");
      if (chosen) chosen.checked = false;
    }
  }

  get chosen() {
    const input = this.root.querySelector(".answer input:checked");
    return input ? Number(input.value) : null;
  }

  get problem() {
    return this.words_.chooseFirst;
  }

  fields() {
    return this.chosen === null ? null : { label: this.chosen };
  }

  words() {
    return this.rows.name(this.chosen);
  }

  draft() {
    return this.chosen;
  }

  restore(draft) {
    this.choose(draft);
    this.touched = true;
  }

  choices() {
    return this.rows.choices((id) => this.take(id));
  }

  bindKeys(keys) {
    const names = this.words_.keys;
    this.rows.bind(keys, (id) => this.take(id));
    keys.register({ action: "digits", key: "1 … 9, 0", label: names.digits, run: () => false });
    keys.register({ action: "accept", label: names.accept, run: () => {
      const [best] = this.rows.likelihood.keys();
      if (best === undefined) return;
      this.choose(best);
      this.pick({ now: true });
    } });
    keys.register({ action: "reject", label: names.reject, run: () => {
      this.choose(null);
      this.touched = true;
      if (this.rows.many) this.combobox.open();
      else Marginalia.announce(this.words_.nothingChosen);
    } });
    if (this.rows.many) keys.register({ action: "search", label: names.search, run: () => this.combobox.open() });
  }
};
