// The thread of the text on the page: how many have spoken, and what they said once somebody looks.
"use strict";

Marginalia.label.Comments = class {
  constructor({ paper, post, url, words }) {
    Object.assign(this, { paper, post, url, words, card: null });
    this.box = document.getElementById("comments");
    this.slot = document.getElementById("comments-slot");
    this.number = document.getElementById("comments-n");
    this.box.addEventListener("toggle", () => { if (this.box.open) this.load(); });
    this.slot.addEventListener("htmx:afterSwap", () => this.count());
    paper.whenShown.push((card) => this.show(card));
  }

  show(card) {
    this.card = card;
    this.loaded = false;
    this.slot.replaceChildren();
    this.draw(card.comments);
    // a thread that has begun is read with the text; an empty one stays out of the way
    if (this.box.open === card.comments > 0) { if (this.box.open) this.load(); } else this.box.open = card.comments > 0;
  }

  draw(n) {
    this.number.textContent = n ? String(n) : "";
  }

  count() {
    const n = Number(this.slot.querySelector("#thread")?.dataset.n || 0);
    this.card.comments = n;
    this.draw(n);
  }

  async load() {
    const card = this.card;
    if (!card || this.loaded) return;
    this.loaded = true;
    const html = await this.post.piece(this.url.replace("/0/", `/${card.item}/`)).catch(() => "");
    if (card !== this.card) return;
    if (!html) { this.loaded = false; return; }
    this.slot.replaceChildren(Marginalia.label.Paper.parse(html));
    window.htmx?.process(this.slot);
    this.count();
    if (this.wanted) this.write();
  }

  // the key: open the thread and write in it
  write() {
    this.wanted = false;
    if (!this.paper.form.hidden && !this.box.open) this.box.open = true;
    const field = this.slot.querySelector("textarea");
    if (field) field.focus();
    else { this.wanted = true; this.load(); }
  }
};
