// The thread of the text on the page: how many have spoken, and what they said once somebody looks.
"use strict";

Marginalia.label.Comments = class {
  constructor({ paper, post, url, words, drafts }) {
    Object.assign(this, { paper, post, url, words, drafts, card: null });
    this.box = document.getElementById("comments");
    this.slot = document.getElementById("comments-slot");
    this.number = document.getElementById("comments-n");
    this.box.addEventListener("toggle", () => { if (this.box.open) this.load(); });
    this.slot.addEventListener("htmx:afterSwap", () => { this.count(); this.keep(); });
    this.slot.addEventListener("input", () => this.keep());
    paper.whenShown.push((card) => this.show(card));
  }

  show(card) {
    if (this.card && this.card.item !== card.item && this.field?.value.trim()) Marginalia.toast(this.words.commentKept, "careful");
    this.card = card;
    this.loaded = false;
    this.slot.replaceChildren();
    this.draw(card.comments);
    // a thread that has begun is read with the text; an empty one stays out of the way
    const open = card.comments > 0 || Boolean(this.drafts.of(this.place));
    if (this.box.open === open) { if (open) this.load(); } else this.box.open = open;
  }

  // what has been written and not sent waits with its text
  get place() {
    return { item: `${this.card.item}-thread` };
  }

  get field() {
    return this.slot.querySelector("textarea");
  }

  keep() {
    const text = this.field?.value || "";
    if (text.trim()) this.drafts.keep(this.place, { text });
    else this.drafts.drop(this.place);
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
    const early = this.field;
    const at = early === document.activeElement ? early.selectionEnd : null;
    this.slot.replaceChildren(Marginalia.label.Paper.parse(html));
    window.htmx?.process(this.slot);
    this.count();
    if (!this.field) return;
    this.field.value ||= early?.value || this.drafts.of(this.place)?.text || "";
    if (at === null) return;
    this.field.focus();
    this.field.setSelectionRange(at, at);
  }

  // takes what is typed before the thread has come: on the page those letters would be keys
  meanwhile() {
    const field = document.createElement("textarea");
    field.rows = 2;
    field.setAttribute("aria-label", this.words.keys.thread);
    field.value = this.drafts.of(this.place)?.text || "";
    this.slot.replaceChildren(field);
  }

  // the key: open the thread and write in it
  write() {
    if (this.paper.form.hidden) return;
    this.box.open = true;
    if (!this.field) this.meanwhile();
    this.field.focus();
    this.load();
  }
};
