// The desk: the card in front of the person, the next one under it, those just answered beside it. Every decision is
// painted at once and goes to the outbox; what the server says about it later only corrects the picture.
"use strict";

Marginalia.label.Desk = class {
  static REMEMBERED = 50;

  constructor({ urls, paper, kind, post, words, newest, store, training }) {
    Object.assign(this, { urls, paper, kind, post, words, newest, training });
    this.cards = [];
    this.done = []; // {key, card, kind}, newest last
    this.gone = new Set(); // tokens answered or skipped here
    this.revisions = new Map(); // item -> the newest revision of mine that this page has heard of
    this.looking = null; // a card of an earlier answer, while it lies on top
    this.owed = 0; // wishes to undo that came before the answer they mean was known
    this.counter = new Marginalia.label.Counter({ words, name: store });
    this.outbox = new Marginalia.label.Outbox({
      name: store,
      deliver: (op) => this.deliver(op),
      changed: () => {},
    });
    this.conflicts = new Marginalia.label.Conflicts({ desk: this, name: store, words });
    window.addEventListener("storage", (event) => this.elsewhere(event));
  }

  get card() {
    return this.looking || this.cards[0] || null;
  }

  get open() {
    return Boolean(this.card) && !this.paper.form.hidden && !this.waiting;
  }

  start(cards) {
    this.add(cards);
    // an address that names an earlier answer opens it on top of the queue
    const earlier = cards.find((card) => !card.token);
    if (earlier) this.look(earlier);
    else if (this.cards.length) this.paper.show(this.cards[0], { focus: false });
    else if (cards.length) this.wait();
    this.outbox.flush();
    this.outbox.tell();
    this.conflicts.show();
  }

  add(cards) {
    const known = new Set(this.cards.map((card) => card.token));
    for (const card of cards) {
      if (card.token && !known.has(card.token) && !this.gone.has(card.token) && !this.outbox.holds(card.token)) this.cards.push(card);
    }
  }

  // --- what a person does ---

  // the answer as it stands, or that it cannot be decided, with the reason
  submit(undecided = "") {
    const card = this.card;
    if (!this.open) return;
    const fields = undecided ? {} : this.kind.fields();
    if (!fields && (this.looking || !this.paper.flagged.checked || this.kind.begun)) {
      this.paper.tell(this.kind.problem);
      return;
    }
    this.paper.tell("");
    const said = undecided || (fields && this.kind.words()) || this.words.flagged;
    const op = { url: this.urls.submit, fields: fields || {}, undecided, said, ...this.about(card), ...this.paper.collect(card) };
    card.undecided = undecided;
    if (this.looking) { this.revise(card, op); return; }
    this.leave(card, { ...op, kind: "answer" }, this.words.answered.replace("{label}", said));
    this.counter.add(1);
  }

  skip() {
    const card = this.cards[0];
    if (!card || this.looking || this.waiting) return;
    this.paper.tell("");
    // held back for a moment: until it is sent, taking it back costs nothing
    this.leave(card, { kind: "skip", url: this.urls.skip, ...this.about(card), holdUntil: Date.now() + 4000 }, this.words.skipped);
  }

  // what an op must remember of its card. While something else about the same text is on its way, the revision that
  // the answer will rest on is not known yet: deliver() fills it in, or leaves the comparison out. A draft from before
  // another change of the same answer rests on what was there then (stale)
  about(card) {
    const before = this.outbox.all().some((op) => op.of_item === card.item || op.kind === "undo");
    return { of_item: card.item, stale: card.stale, base: before ? "" : this.revisions.get(card.item) ?? card.base, excerpt: card.text.textContent.slice(0, 120) };
  }

  leave(card, op, sentence) {
    const key = Marginalia.label.uuid();
    this.cards.shift();
    this.gone.add(card.token);
    this.done.push({ key, card, kind: op.kind });
    if (this.done.length > Marginalia.label.Desk.REMEMBERED) this.done.shift();
    // somebody who is learning sees what was right before the next text
    if (this.training && op.kind === "answer") this.wait();
    else this.next(sentence);
    this.outbox.push({ ...op, key, token: card.token });
  }

  next(sentence = "") {
    if (this.cards.length) this.paper.show(this.cards[0]);
    else this.wait();
    Marginalia.announce(sentence);
  }

  wait() {
    this.waiting = true;
    this.paper.busy();
  }

  undo() {
    if (this.looking) { this.present(); return; }
    const last = this.done.pop();
    if (last && this.outbox.takeBack(last.key)) { this.forget(last); return; }
    // a skip that has gone out stays: somebody else may have the text by now
    const given = last?.kind === "skip" ? this.popGiven() : last;
    const of = given?.key || this.newest;
    if (!of && this.outbox.mine().some((op) => op.kind === "undo")) { this.owed += 1; return; }
    if (!of) { Marginalia.toast(this.words.nothingToUndo); return; }
    this.outbox.push({ kind: "undo", url: this.urls.undo, key: Marginalia.label.uuid(), of });
    if (given?.kind === "answer") this.forget(given);
    else this.newest = "";
  }

  forget(given) {
    if (given.kind === "answer") this.counter.add(-1);
    if (given.kind === "revise") given.card.draft = given.before;
    else this.bringBack(given.card);
  }

  popGiven() {
    while (this.done.length && this.done.at(-1).kind === "skip") this.done.pop();
    return this.done.pop();
  }

  bringBack(card) {
    this.gone.delete(card.token);
    this.cards = [card, ...this.cards.filter((other) => other.token !== card.token)];
    if (this.looking) return; // it lies under the earlier answer
    this.waiting = false;
    this.lesson?.close();
    this.paper.show(card);
    Marginalia.announce(this.words.undone.replace("{label}", card.undecided || this.kind.words()));
  }

  // --- earlier answers ---

  look(card) {
    this.looking = card;
    this.waiting = false;
    this.lesson?.close();
    this.paper.tell("");
    this.lookingChanged?.(true);
    this.paper.show(card, { state: () => this.words.looking.replace("{label}", card.undecided || this.kind.words() || this.words.flagged) });
    card.before = JSON.stringify([this.kind.fields(), this.paper.draft().note, this.paper.flagged.checked, card.undecided]);
  }

  present() {
    if (!this.looking) return false;
    this.looking = null;
    this.paper.tell("");
    this.lookingChanged?.(false);
    if (this.cards.length) this.paper.show(this.cards[0]);
    else { this.wait(); this.load(); }
    return true;
  }

  revise(card, op) {
    if (JSON.stringify([op.fields, op.note, Boolean(op.flagged), op.undecided]) !== card.before) {
      const key = Marginalia.label.uuid();
      this.done.push({ key, card, kind: "revise", before: null });
      this.outbox.push({ ...op, kind: "revise", key, item: card.item });
      Marginalia.announce(this.words.changed.replace("{label}", op.said));
    }
    this.present();
  }

  // --- what the server says ---

  async deliver(op) {
    const base = op.kind === "undo" ? "" : op.stale ?? this.revisions.get(op.of_item) ?? op.base;
    // `label`: what an older page has left in the store
    const fields = { label: op.label, ...op.fields, key: op.key, token: op.token, item: op.item, base, undecided: op.undecided, note: op.note, flagged: op.flagged, seconds: op.seconds, of: op.of };
    if (op.kind !== "undo") fields.have = this.cards.map((card) => card.token).join(",");
    const answer = await this.post.to(op.url, fields);
    if (answer.again) return answer;
    return { after: () => {
      if (answer.conflict) return this.conflicts.add(op, answer.conflict);
      return answer.refused ? this.refused(op, answer.refused) : this.taken(op, answer.html);
    } };
  }

  taken(op, html) {
    const piece = Marginalia.label.Paper.parse(html);
    const outcome = piece.getElementById("outcome");
    const cards = Marginalia.label.Paper.cards(piece);
    if (op.kind !== "undo") this.paper.drafts.drop(op);
    if (op.kind === "answer" || op.kind === "revise") this.newest = op.key;
    if (outcome?.dataset.item) this.revisions.set(outcome.dataset.item, Number(outcome.dataset.base));
    if (op.kind === "undo") this.undone(cards, outcome);
    else this.add(cards);
    if (outcome?.value === "late") Marginalia.toast(this.words.late, "careful");
    this.why = piece.getElementById("empty-state")?.content;
    const lesson = piece.getElementById("lesson");
    if (outcome && "training" in outcome.dataset) this.trained(Number(outcome.dataset.training));
    if (lesson && this.lesson) this.lesson.show(lesson, () => this.settle(Boolean(cards.length)));
    else this.settle(Boolean(cards.length));
    this.saved?.(op);
  }

  trained(left) {
    this.training = left;
    const line = document.getElementById("training");
    if (!line) return;
    line.hidden = !left;
    line.textContent = line.textContent.replace(/\d+/, left);
  }

  undone(cards, outcome) {
    this.newest = outcome?.dataset.newest || "";
    const [card] = cards;
    if (!card) { this.owed = 0; this.load(); return; } // it was taken back before; its text may be here again
    this.revisions.set(card.item, card.base);
    this.gone.delete(card.token);
    if (!this.cards.some((other) => other.token === card.token) && !this.outbox.holds(card.token)) {
      this.counter.add(-1);
      this.bringBack(card);
    }
    if (this.owed) { this.owed -= 1; this.undo(); }
  }

  // a card came, or the queue is empty: only what is on its way can still bring one
  settle(more) {
    if (this.looking || this.lesson?.open) return;
    if (this.cards.length ? this.waiting || this.paper.form.hidden : !this.outbox.mine().length && !more) this.paper.quietly(() => this.turn());
    else if (!this.cards.length && !this.outbox.mine().length) this.load();
  }

  // to what there is: the next text, or the words for none
  turn() {
    if (this.looking || this.lesson?.open) return;
    if (this.cards.length) {
      if (!this.waiting && !this.paper.form.hidden) return;
      this.waiting = false;
      this.paper.show(this.cards[0]);
    } else if (!this.outbox.mine().length) {
      this.waiting = false;
      this.paper.empty(this.why);
    }
  }

  async load() {
    clearTimeout(this.later);
    const html = await this.post.piece(this.urls.page).catch(() => "");
    if (!html) {
      this.later = setTimeout(() => { if (this.waiting && !this.cards.length) this.load(); }, 5000);
      return;
    }
    const piece = Marginalia.label.Paper.parse(html);
    this.why = piece.getElementById("empty-state")?.content;
    this.add(Marginalia.label.Paper.cards(piece));
    this.settle(false);
  }

  refused(op, sentence) {
    const at = this.done.findIndex((entry) => entry.key === op.key);
    const entry = at >= 0 ? this.done.splice(at, 1)[0] : null;
    const midway = this.cards.length > 0 && this.paper.engaged(this.cards[0]);
    if (entry && op.kind === "answer") {
      this.counter.add(-1);
      // what somebody is in the middle of stays in front
      if (midway) this.addSecond(entry.card);
      else this.bringBack(entry.card);
    }
    if (op.kind === "undo") this.owed = 0;
    if (op.kind === "skip") { this.settle(true); return; }
    const what = op.excerpt && (!entry || midway) ? ` ${this.words.refusedText.replace("{text}", op.excerpt).replace("{label}", op.said)}` : "";
    this.paper.tell(`${sentence}${what}`);
    if (!entry) this.settle(true);
  }

  addSecond(card) {
    this.gone.delete(card.token);
    const [first, ...others] = this.cards.filter((other) => other.token !== card.token);
    this.cards = [first, card, ...others];
  }

  // another tab of the same person answered what lies here. What was begun here stays: sending it shows both
  elsewhere(event) {
    if (!event.newValue || !event.key?.startsWith(this.outbox.prefix)) return;
    const op = JSON.parse(event.newValue);
    const at = this.cards.findIndex((card) => card.token === op.token);
    if (at < 0 || op.kind === "undo" || op.tried) return;
    if (at === 0 && !this.looking && !this.waiting && this.paper.engaged(this.cards[0])) {
      this.paper.tell(this.words.elsewhereBegun);
      return;
    }
    this.gone.add(op.token);
    this.cards.splice(at, 1);
    if (at > 0 || this.looking) return;
    if (this.cards.length) this.next(this.words.elsewhere);
    else { this.wait(); setTimeout(() => this.load(), 800); }
  }
};
