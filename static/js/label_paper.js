// Putting a card on the page: text, margin notes, answer, note and flag. Nothing here talks to the server.
"use strict";

Marginalia.label.Paper = class {
  constructor({ kind, words, drafts }) {
    Object.assign(this, { kind, words, drafts });
    this.state = document.getElementById("item-state");
    this.form = document.getElementById("answer");
    this.heading = document.getElementById("item-heading");
    this.context = document.getElementById("context-slot");
    this.text = document.getElementById("text-slot");
    this.about = document.getElementById("about-slot");
    this.nothing = document.getElementById("nothing");
    this.note = document.getElementById("note");
    this.noteBox = document.getElementById("note-box");
    this.flagged = document.getElementById("flagged");
    this.notice = document.getElementById("notice");
    this.main = document.getElementById("main");
    this.whenShown = []; // called with each card that comes up
    this.since = performance.now();
    this.away = 0;
    document.addEventListener("visibilitychange", () => this.pause());
  }

  static cards(node) {
    const json = (text) => (text ? JSON.parse(text) : null);
    return [...node.querySelectorAll("template[data-card]")].map((template) => ({
      token: template.dataset.token,
      item: template.dataset.item,
      kind: template.dataset.kind,
      base: Number(template.dataset.base),
      suggestion: json(template.dataset.suggestion),
      answer: json(template.dataset.answer),
      hash: template.dataset.hash || "",
      blind: "blind" in template.dataset,
      undecided: template.dataset.undecided || "",
      note: template.dataset.note || "",
      flagged: "flagged" in template.dataset,
      comments: Number(template.dataset.comments),
      text: template.content.querySelector(".reading"),
      context: template.content.querySelector(".context"),
      about: template.content.querySelector(".about"),
    }));
  }

  static parse(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content;
  }

  show(card, { focus = true, state = null } = {}) {
    this.form.hidden = false;
    this.nothing.hidden = true;
    this.form.removeAttribute("aria-busy");
    this.form.querySelector("[name=token], [name=item]").value = card.token || card.item;
    this.text.replaceChildren(card.text);
    this.context.replaceChildren(...(card.context ? [card.context] : []));
    this.about.replaceChildren(card.about);
    const draft = card.draft || this.drafts.of(card);
    card.stale = draft?.base !== undefined && draft.base !== card.base ? draft.base : undefined;
    this.kind.show(card);
    if (draft?.answer !== undefined) this.kind.restore(draft.answer);
    this.note.value = draft?.note ?? card.note;
    this.noteBox.open = Boolean(this.note.value);
    this.flagged.checked = draft?.flagged ?? card.flagged;
    this.state.textContent = state ? state() : this.stateOf(card);
    if (window.scrollY) window.scrollTo(0, 0);
    this.text.scrollTop = 0;
    if (focus) this.focus();
    this.since = performance.now();
    this.away = 0;
    for (const each of this.whenShown) each(card);
  }

  stateOf(card) {
    if (card.undecided) return this.words.undecidedBefore.replace("{reason}", card.undecided);
    return card.blind ? this.words.blind : "";
  }

  focus() {
    const place = this.form.hidden ? this.nothing.querySelector("[tabindex]") || this.main : this.heading;
    place.focus({ preventScroll: true });
  }

  // who types goes on typing: a text that comes by itself waits until they leave the field
  quietly(act) {
    clearTimeout(this.soon);
    if (this.typing()) this.soon = setTimeout(() => this.quietly(act), 250);
    else act();
  }

  typing() {
    const { activeElement } = document;
    return activeElement?.matches("textarea, input[type=text]") ? activeElement : null;
  }

  // somebody has begun to answer this card, or is writing beside it
  engaged(card) {
    return Boolean(this.typing()) || this.begun(card, this.draft());
  }

  begun(card, draft) {
    return draft.answer !== undefined || draft.note !== card.note || draft.flagged !== card.flagged;
  }

  busy() {
    this.form.setAttribute("aria-busy", "true");
  }

  // why there is nothing comes with the answer that said so
  empty(why) {
    if (this.form.hidden && !this.nothing.hidden) return;
    this.form.hidden = true;
    this.nothing.hidden = false;
    if (why) this.nothing.replaceChildren(why);
    this.about.replaceChildren();
    this.focus();
  }

  // what the person has made of the card so far; kept on it so that an undo brings it back, and stored as a draft
  draft() {
    return { answer: this.kind.touched ? this.kind.draft() : undefined, note: this.note.value.trim(), flagged: this.flagged.checked };
  }

  keep(card) {
    const draft = { ...this.draft(), base: card.stale ?? card.base };
    card.draft = this.begun(card, draft) ? draft : null;
    if (card.draft) this.drafts.keep(card, draft);
    else this.drafts.drop(card);
  }

  collect(card) {
    card.draft = { ...this.draft(), answer: this.kind.draft() };
    return { note: card.draft.note, flagged: card.draft.flagged ? "on" : "", seconds: this.seconds() };
  }

  seconds() {
    const hidden = this.hiddenSince ? performance.now() - this.hiddenSince : 0;
    return Math.max(0, (performance.now() - this.since - this.away - hidden) / 1000).toFixed(2);
  }

  pause() {
    if (document.hidden) {
      this.hiddenSince = performance.now();
    } else if (this.hiddenSince) {
      this.away += performance.now() - this.hiddenSince;
      this.hiddenSince = 0;
    }
  }

  tell(sentence, ...more) {
    this.notice.replaceChildren();
    this.notice.hidden = !sentence;
    this.told = sentence;
    if (!sentence) return;
    const line = document.createElement("p");
    line.textContent = sentence;
    this.notice.append(line, ...more);
  }
};
