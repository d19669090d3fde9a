// The desk: the card in front of the person, the next one under it, those just answered beside it. Every decision is
// painted at once and goes to the outbox; what the server says about it later only corrects the picture.
"use strict";

Marginalia.label.Desk = class {
  static REMEMBERED = 50;

  constructor({ urls, paper, answers, post, words, newest, store }) {
    Object.assign(this, { urls, paper, answers, post, words, newest });
    this.cards = [];
    this.done = []; // {key, card, kind}, newest last
    this.gone = new Set(); // tokens answered or skipped here
    this.looking = null; // a card of an earlier answer, while it lies on top
    this.counter = new Marginalia.label.Counter(words);
    this.outbox = new Marginalia.label.Outbox({
      name: store,
      deliver: (op) => this.deliver(op),
      changed: () => {},
    });
    window.addEventListener("storage", (event) => this.elsewhere(event));
  }

  get card() {
    return this.looking || this.cards[0] || null;
  }

  start(cards) {
    this.add(cards);
    if (this.cards.length) this.paper.show(this.cards[0], { focus: false });
    else if (cards.length) this.wait();
    this.outbox.flush();
    this.outbox.tell();
  }

  add(cards) {
    const known = new Set(this.cards.map((card) => card.token));
    for (const card of cards) {
      if (card.token && !known.has(card.token) && !this.gone.has(card.token) && !this.outbox.holds(card.token)) this.cards.push(card);
    }
  }

  // --- what a person does ---

  submit() {
    this.decide(this.answers.chosen);
  }

  decide(label) {
    const card = this.card;
    if (!card || this.paper.form.hidden || this.waiting) return;
    if (label === null && (this.looking || !this.paper.flagged.checked)) {
      this.paper.tell(this.words.chooseFirst);
      return;
    }
    this.paper.tell("");
    if (this.looking) { this.revise(card, label); return; }
    const said = this.paper.collect(card, label);
    this.leave(card, { kind: "answer", url: this.urls.submit, ...said }, this.words.answered.replace("{label}", this.answers.name(label) || this.words.flagged));
    this.counter.add(1);
  }

  skip() {
    const card = this.cards[0];
    if (!card || this.looking || this.waiting) return;
    this.paper.tell("");
    // held back for a moment: until it is sent, taking it back costs nothing
    this.leave(card, { kind: "skip", url: this.urls.skip, holdUntil: Date.now() + 4000 }, this.words.skipped);
  }

  leave(card, op, sentence) {
    const key = Marginalia.label.uuid();
    this.cards.shift();
    this.gone.add(card.token);
    this.done.push({ key, card, kind: op.kind });
    if (this.done.length > Marginalia.label.Desk.REMEMBERED) this.done.shift();
    this.next(sentence);
    this.outbox.push({ ...op, key, token: card.token, excerpt: card.text.textContent.slice(0, 120) });
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
    if (!of) { Marginalia.toast(this.words.nothingToUndo); return; }
    if (given?.kind === "answer") this.forget(given);
    else this.newest = "";
    this.outbox.push({ kind: "undo", url: this.urls.undo, key: Marginalia.label.uuid(), of });
  }

  forget(given) {
    if (given.kind === "answer") this.counter.add(-1);
    if (given.kind === "revise") given.card.chosen = given.before;
    else this.bringBack(given.card);
  }

  popGiven() {
    while (this.done.length && this.done.at(-1).kind === "skip") this.done.pop();
    return this.done.pop();
  }

  bringBack(card) {
    this.waiting = false;
    this.gone.delete(card.token);
    this.cards = [card, ...this.cards.filter((other) => other.token !== card.token)];
    this.paper.show(card);
    Marginalia.announce(this.words.undone.replace("{label}", this.answers.name(card.chosen)));
  }

  // --- earlier answers ---

  look(card) {
    this.looking = card;
    this.paper.tell("");
    this.lookingChanged?.(true);
    this.paper.show(card, { state: this.words.looking.replace("{label}", this.answers.name(card.chosen)) });
  }

  present() {
    if (!this.looking) return false;
    this.looking = null;
    this.paper.tell("");
    this.lookingChanged?.(false);
    if (this.cards.length) this.paper.show(this.cards[0]);
    else this.load();
    return true;
  }

  revise(card, label) {
    if (label !== card.chosen) {
      const key = Marginalia.label.uuid();
      this.done.push({ key, card, kind: "revise", before: card.chosen });
      card.chosen = label;
      this.outbox.push({ kind: "revise", url: this.urls.submit, key, item: card.item, label, excerpt: card.text.textContent.slice(0, 120) });
      Marginalia.announce(this.words.changed.replace("{label}", this.answers.name(label)));
    }
    this.present();
  }

  // --- what the server says ---

  async deliver(op) {
    const fields = { key: op.key, token: op.token, item: op.item, label: op.label, note: op.note, flagged: op.flagged, seconds: op.seconds, of: op.of };
    if (op.kind !== "undo") fields.have = this.cards.map((card) => card.token).join(",");
    const answer = await this.post.to(op.url, fields);
    if (answer.again) return answer;
    return { after: () => (answer.refused ? this.refused(op, answer.refused) : this.taken(op, answer.html)) };
  }

  taken(op, html) {
    const piece = Marginalia.label.Paper.parse(html);
    const outcome = piece.getElementById("outcome");
    const cards = Marginalia.label.Paper.cards(piece);
    if (op.kind === "answer" || op.kind === "revise") this.newest = op.key;
    if (op.kind === "undo") this.undone(cards, outcome);
    else this.add(cards);
    if (outcome?.value === "late") Marginalia.toast(this.words.late, "careful");
    this.settle(Boolean(cards.length));
    this.saved?.(op);
  }

  undone(cards, outcome) {
    this.newest = outcome?.dataset.newest || "";
    const [card] = cards;
    if (!card) return;
    this.gone.delete(card.token);
    if (this.cards.some((other) => other.token === card.token) || this.outbox.holds(card.token)) return;
    card.chosen = Number(outcome.dataset.chosen) || null;
    this.counter.add(-1);
    this.bringBack(card);
  }

  // a card came, or the queue is empty: only what is on its way can still bring one
  settle(more) {
    if (this.looking) return;
    if (this.cards.length && (this.waiting || this.paper.form.hidden)) {
      this.waiting = false;
      this.paper.show(this.cards[0]);
    } else if (!this.cards.length && !this.outbox.mine().length) {
      if (more) this.load();
      else { this.waiting = false; this.paper.empty(); }
    }
  }

  async load() {
    const html = await this.post.piece(this.urls.page).catch(() => "");
    if (!html) return;
    this.add(Marginalia.label.Paper.cards(Marginalia.label.Paper.parse(html)));
    this.settle(false);
  }

  refused(op, sentence) {
    const at = this.done.findIndex((entry) => entry.key === op.key);
    const entry = at >= 0 ? this.done.splice(at, 1)[0] : null;
    if (entry && op.kind === "answer") {
      this.counter.add(-1);
      this.bringBack(entry.card);
    }
    if (op.kind === "skip") { this.settle(true); return; }
    const what = op.excerpt && !entry ? ` ${this.words.refusedText.replace("{text}", op.excerpt).replace("{label}", this.answers.name(Number(op.label)))}` : "";
    this.paper.tell(`${sentence}${what}`);
    if (!entry) this.settle(true);
  }

  // another tab of the same person answered what lies here
  elsewhere(event) {
    if (!event.newValue || !event.key?.startsWith(this.outbox.prefix)) return;
    const op = JSON.parse(event.newValue);
    const at = this.cards.findIndex((card) => card.token === op.token);
    if (at < 0 || op.kind === "undo") return;
    this.gone.add(op.token);
    this.cards.splice(at, 1);
    if (at > 0 || this.looking) return;
    if (this.cards.length) this.next(this.words.elsewhere);
    else { this.wait(); setTimeout(() => this.load(), 800); }
  }
};
