// Several labels per text: checkboxes, and "none of these" as an answer of its own. A kind's parts are told in label.js.
"use strict";

Marginalia.label.kinds.multi = class {
  constructor({ labels, words, taken, root, pick }) {
    Object.assign(this, { words_: words, root, pick, labels, touched: false });
    // 0 says "none of these", unless a label has it for its own
    const own = labels.some((label) => label.key === "0");
    this.rows = new Marginalia.label.Rows({ labels, taken, digits: own ? "1234567890" : "123456789" });
    this.none = document.getElementById("none");
    this.noneKey = own ? Marginalia.keys.keyOf("none") : "0";
    this.thresholds = new Map();
    document.querySelector("#none-row kbd").textContent = Marginalia.keys.shown(this.noneKey);
    this.combobox = new Marginalia.label.Combobox({
      labels, likelihood: () => this.rows.likelihood, take: (id) => this.toggle(id), stay: true, ticked: (id) => this.ticked(id),
    });
    this.rows.all.addEventListener("click", () => { for (const id of this.chosen) this.inSight(id); });
    this.root.addEventListener("change", (event) => {
      if (event.target.type === "checkbox") this.changed(event.target);
    });
  }

  show(card) {
    const pairs = Marginalia.label.pairs(card.suggestion);
    const sure = pairs.filter(([, p], at) => p >= (card.suggestion.thresholds?.[at] ?? 2)).map(([id]) => id);
    this.thresholds = new Map(pairs.map(([id], at) => [id, card.suggestion.thresholds?.[at]]));
    this.suggested = card.suggestion?.thresholds ? sure : null;
    this.rows.show(pairs);
    this.tick(card.undecided ? null : card.answer?.labels ?? this.suggested);
    this.touched = false;
  }

  // null: nothing said yet; an empty list: none of these
  tick(ids) {
    for (const label of this.labels) this.rows.input(label.id).checked = Boolean(ids?.includes(label.id));
    this.none.checked = ids?.length === 0;
    for (const id of ids || []) if (this.rows.rows.has(id)) this.inSight(id);
  }

  // a ticked label must not hide among the folded ones
  inSight(id) {
    if (this.rows.many && !this.rows.blind) this.rows.raise(id);
  }

  toggle(id) {
    const input = this.rows.input(id);
    input.checked = !input.checked;
    if (input.checked) this.inSight(id);
    this.changed(input);
    Marginalia.announce(`${this.rows.name(id)}: ${input.checked ? this.words_.ticked : this.words_.unticked}`);
  }

  toggleNone() {
    this.none.checked = !this.none.checked;
    this.changed(this.none);
    Marginalia.announce(`${this.words_.noneOfThese}: ${this.none.checked ? this.words_.ticked : this.words_.unticked}`);
  }

  changed(input) {
    this.touched = true;
    if (!input.checked) return;
    if (input === this.none) for (const label of this.labels) this.rows.input(label.id).checked = false;
    else this.none.checked = false;
  }

  ticked(id) {
    return this.rows.input(id).checked;
  }

  get chosen() {
    return this.labels.map((label) => label.id).filter((id) => this.ticked(id));
  }

  get problem() {
    return this.words_.tickFirst;
  }

  fields() {
    const labels = this.chosen;
    return labels.length || this.none.checked ? { labels, none: labels.length ? "" : "on" } : null;
  }

  words() {
    return this.none.checked ? this.words_.noneOfThese : this.chosen.map((id) => this.rows.name(id)).join(", ");
  }

  draft() {
    return { labels: this.chosen, none: this.none.checked };
  }

  restore(draft) {
    this.tick(draft.none || draft.labels.length ? draft.labels : null);
    this.touched = true;
  }

  // what else the margin says of a label that is pointed at
  aside(id) {
    const threshold = this.thresholds.get(id);
    return threshold === undefined ? "" : this.words_.threshold.replace("{p}", Math.round(100 * threshold));
  }

  choices() {
    return this.rows.choices((id) => this.toggle(id));
  }

  bindKeys(keys) {
    const names = this.words_.keys;
    this.rows.bind(keys, (id) => this.toggle(id));
    keys.register({ action: "digits", key: "1 … 9", label: names.tickDigits, run: () => false });
    keys.register({ action: "none", label: names.none, run: () => this.toggleNone() });
    if (this.noneKey === "0") keys.register({ action: "none-0", key: "0", label: names.none, run: () => this.toggleNone() });
    keys.register({ action: "accept", label: names.acceptSet, run: () => {
      if (!this.suggested) return;
      this.tick(this.suggested);
      this.pick({ now: true });
    } });
    keys.register({ action: "reject", label: names.rejectSet, run: () => {
      this.tick(null);
      this.touched = true;
      Marginalia.announce(this.words_.allUnticked);
    } });
    if (this.rows.many) keys.register({ action: "search", label: names.searchSeveral, run: () => this.combobox.open() });
  }
};
