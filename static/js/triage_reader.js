// The ticket that is being read. The next ones are fetched while this one is looked at, so that a key shows them at once.
"use strict";

Marginalia.triage.Reader = class {
  static AHEAD = 4;
  static KEPT = 40;

  constructor({ pane, list, words }) {
    Object.assign(this, { pane, list, words });
    this.pieces = new Map(); // number → the article, ready to be shown
    this.asked = new Map(); // number → promise of it
    const first = pane.querySelector("#ticket");
    if (first) this.keep(Number(first.dataset.number), first.cloneNode(true));
  }

  get shown() {
    return Number(this.pane.querySelector("#ticket")?.dataset.number || 0);
  }

  address(number) {
    return this.list.row(number)?.querySelector("a").getAttribute("href") || this.make(number);
  }

  make(number) {
    const root = document.getElementById("triage-root").dataset;
    return `${root.page}${number}/${root.query ? `?${root.query}` : ""}`;
  }

  keep(number, article) {
    this.pieces.set(number, article);
    if (this.pieces.size > Marginalia.triage.Reader.KEPT) this.pieces.delete(this.pieces.keys().next().value);
  }

  forget(number) {
    this.pieces.delete(number);
  }

  show(number, { focus = true } = {}) {
    const piece = this.pieces.get(number);
    this.pane.replaceChildren(piece ? piece.cloneNode(true) : this.sketch(number));
    this.pane.scrollTop = 0;
    this.caps();
    if (focus) this.focus();
    if (!piece) this.load(number).then(() => { if (this.shown === number) this.refreshed(number); });
  }

  clear() {
    this.pane.replaceChildren();
  }

  focus() {
    this.pane.querySelector("#ticket-heading")?.focus({ preventScroll: true });
  }

  // the whole ticket in place of what is shown of it, without moving eyes or focus
  refreshed(number) {
    const piece = this.pieces.get(number);
    if (!piece || this.shown !== number) return;
    const held = this.pane.contains(document.activeElement) ? document.activeElement : null;
    const [id, action] = [held?.id, held?.value];
    const top = this.pane.scrollTop;
    this.pane.replaceChildren(piece.cloneNode(true));
    this.pane.scrollTop = top;
    this.caps();
    if (!held) return;
    const again = (id && this.pane.querySelector(`#${CSS.escape(id)}`)) || (action && this.pane.querySelector(`button[value="${CSS.escape(action)}"]`));
    (again || this.pane.querySelector("#ticket-heading"))?.focus({ preventScroll: true });
  }

  async refresh(number) {
    this.forget(number);
    this.asked.delete(number);
    await this.load(number);
    this.refreshed(number);
    return this.pieces.get(number);
  }

  load(number) {
    if (this.pieces.has(number)) return Promise.resolve(this.pieces.get(number));
    if (!this.asked.has(number)) this.asked.set(number, this.fetch(number).finally(() => this.asked.delete(number)));
    return this.asked.get(number);
  }

  async fetch(number) {
    try {
      const response = await fetch(this.address(number), { headers: { "HX-Request": "true" }, credentials: "same-origin", redirect: "manual" });
      if (!response.ok) return null;
      const article = Marginalia.triage.parse(await response.text()).querySelector("#ticket");
      if (article) this.keep(number, article);
      return article;
    } catch {
      return null; // the line is cut; what the list knows is on the screen
    }
  }

  async ahead() {
    const numbers = this.list.numbers;
    const at = numbers.indexOf(this.list.current);
    const wanted = numbers.slice(at + 1, at + 1 + Marginalia.triage.Reader.AHEAD);
    if (at > 0) wanted.push(numbers[at - 1]);
    await Promise.all(wanted.map((number) => this.load(number)));
  }

  // what the list knows, until the rest is there
  sketch(number) {
    const row = this.list.row(number);
    const article = document.createElement("article");
    article.id = "ticket";
    article.className = "ticket sketch";
    article.dataset.number = number;
    article.setAttribute("aria-labelledby", "ticket-heading");
    article.setAttribute("aria-busy", "true");
    const read = document.createElement("div");
    read.className = "ticket-read";
    const heading = document.createElement("h2");
    heading.id = "ticket-heading";
    heading.tabIndex = -1;
    heading.textContent = this.words.next.replace("{number}", number).replace(/[.。]$/u, "");
    read.append(heading);
    const pair = row?.querySelector(".ticket-pair")?.cloneNode(true);
    if (pair) { pair.className = "ticket-claim"; read.append(pair); }
    const excerpt = row?.querySelector(".ticket-excerpt");
    if (excerpt) {
      const text = document.createElement("p");
      text.className = "reading";
      text.lang = excerpt.lang;
      text.dir = "auto";
      text.textContent = excerpt.textContent;
      read.append(text);
    }
    const wait = document.createElement("p");
    wait.className = "quieter";
    wait.textContent = this.words.loading;
    read.append(wait);
    article.append(read);
    return article;
  }

  // keys as this person has them
  caps() {
    Marginalia.triage.caps(this.pane);
  }
};

Marginalia.triage.caps = (root) => {
  for (const cap of root.querySelectorAll("kbd[data-key]")) {
    const key = Marginalia.keys.keyOf(cap.dataset.key);
    cap.textContent = key === "Enter" ? "↵" : Marginalia.keys.shown(key);
    cap.hidden = !key || (Marginalia.data.singleKeys === false && key.length === 1);
  }
};
