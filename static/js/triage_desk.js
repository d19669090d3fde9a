// The desk: every decision is painted at once and goes to the outbox; what the server says later only corrects the picture.
"use strict";

Marginalia.triage.Desk = class {
  static REMEMBERED = 100;
  static FEW = 30; // rows left: time to fetch more
  static AT_ONCE = 50; // tickets of one request: none of them takes long
  static BECOMES = { accept: "accepted", duplicate: "duplicate", dismiss: "dismissed", snooze: "snoozed", reopen: "new" };

  constructor({ root, list, reader, post, words }) {
    Object.assign(this, { root, list, reader, post, words });
    this.states = (root.dataset.states || "").split(",").filter(Boolean);
    this.gone = new Set(); // numbers that left this list by a decision made here
    this.done = []; // what can be taken back, newest last
    this.turns = 0; // how often rows have left or come back
    this.decided = 0;
    this.last = Number(root.dataset.last) || 0; // of an earlier sitting
    this.outbox = new Marginalia.label.Outbox({ name: root.dataset.store, deliver: (op) => this.deliver(op), changed: () => {} });
  }

  start() {
    // decisions of an earlier page that have not gone out yet: their tickets have left this list
    for (const op of this.outbox.mine()) {
      const numbers = op.numbers.split(",").map(Number);
      if (op.action !== "undo") this.away(numbers.filter((number) => !this.fits(op.action)));
    }
    this.list.current = this.reader.shown || this.list.numbers[0] || 0;
    if (this.list.row(this.list.current)) this.list.mark(this.list.current, { scroll: this.root.parentElement.classList.contains("opened") });
    else if (this.list.current && !this.opened) this.go(this.list.numbers[0] || 0, { focus: false });
    this.settle();
    this.outbox.flush();
    this.outbox.tell();
  }

  get opened() {
    return document.querySelector(".triage-page").classList.contains("opened");
  }

  away(numbers) {
    this.turns += 1;
    for (const number of numbers) this.gone.add(number);
    return this.list.take(numbers);
  }

  fits(action) {
    const becomes = Marginalia.triage.Desk.BECOMES[action];
    return !becomes || !this.states.length || this.states.includes(becomes);
  }

  can(number, action) {
    const state = this.list.row(number)?.dataset.state || (this.reader.shown === number && this.reader.pane.querySelector("#ticket").dataset.state);
    return !state || action === "assign" || (this.words.acts[state] || []).includes(action);
  }

  // --- moving about ---

  step(step) {
    const number = this.list.beside(step);
    if (!number) { Marginalia.announce(step > 0 ? this.words.end : this.words.start); return; }
    this.go(number);
  }

  go(number, { focus = true } = {}) {
    if (!number) { this.settle(); return; }
    this.list.mark(number);
    this.list.sweep();
    this.reader.show(number, { focus });
    this.moved?.(number);
    this.settle();
  }

  // rows ahead, pieces ahead, and the word for an empty list
  settle() {
    const left = this.list.numbers.length;
    document.getElementById("triage-empty").hidden = left > 0 || Boolean(this.list.more);
    if (left < Marginalia.triage.Desk.FEW) this.more();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.reader.ahead(), 0);
  }

  async more() {
    const link = this.list.more;
    if (!link || this.loading) return;
    this.loading = true;
    const html = await this.post.piece(link.getAttribute("href")).catch(() => "");
    this.loading = false;
    if (!html) { this.soon = setTimeout(() => this.settle(), 2000); return; }
    const wasEmpty = !this.list.numbers.length;
    this.list.append(Marginalia.triage.parse(html), this.gone);
    if (wasEmpty && this.list.numbers.length) this.go(this.list.numbers[0]);
    else this.settle();
    this.changed?.();
  }

  // false: no list came, and what is shown stays
  async reload() {
    let html, turns;
    do { // a list that was made before the last decision, or before it was taken back, is no news
      await this.outbox.sent(5_000);
      turns = this.turns;
      html = await this.post.piece(this.root.dataset.page + (this.root.dataset.query ? `?${this.root.dataset.query}` : "")).catch(() => "");
    } while (html && turns !== this.turns);
    if (!html) return false;
    this.list.replace(Marginalia.triage.parse(html), this.gone);
    if (!this.list.row(this.reader.shown) && this.list.numbers.length && !this.reader.shown) this.go(this.list.numbers[0], { focus: false });
    this.settle();
    this.changed?.();
    return true;
  }

  // --- deciding ---

  act(action, values = {}, numbers = this.list.chosen) {
    const able = numbers.filter((number) => this.can(number, action));
    if (!able.length) { this.refuse(numbers[0]); return; }
    if (able.length < numbers.length) Marginalia.toast(this.words.someStay.replace("{n}", numbers.length - able.length), "careful");
    const seen = able.map((number) => this.list.row(number)?.dataset.move || this.reader.pane.querySelector("#ticket")?.dataset.move || "");
    const leaving = new Set(this.fits(action) ? [] : able);
    const current = this.list.current;
    const next = leaving.has(current) ? this.list.nextAfter(leaving) : current;
    const places = this.away([...leaving]);
    const ops = this.parts(able, seen);
    this.done.push({ ops, action, numbers: able, places, current });
    if (this.done.length > Marginalia.triage.Desk.REMEMBERED) this.done.shift();
    if (action !== "assign") this.count(able.length);
    this.list.selectAll(false);
    this.say(this.words.done[action], this.words.doneMany[action], able);
    if (leaving.has(current)) this.leave(next);
    else if (leaving.size) this.settle();
    this.changed?.();
    for (const op of ops) this.outbox.push({ kind: "move", url: this.url, action, ...op, ...values });
  }

  parts(numbers, seen) {
    const size = Marginalia.triage.Desk.AT_ONCE;
    const starts = [...Array(Math.ceil(numbers.length / size)).keys()].map((part) => part * size);
    return starts.map((from) => ({
      key: Marginalia.label.uuid(),
      numbers: numbers.slice(from, from + size).join(","),
      seen: seen.slice(from, from + size).join(","),
    }));
  }

  get url() {
    return this.root.dataset.move;
  }

  leave(next) {
    if (next) { this.go(next); return; }
    this.list.current = 0;
    this.reader.clear();
    this.settle();
    if (!this.list.more) document.getElementById("empty-heading")?.focus({ preventScroll: true });
    this.emptied?.();
  }

  refuse(number) {
    const state = this.reader.pane.querySelector("#ticket .badge")?.textContent.trim() || "";
    if (number) Marginalia.toast(this.words.notAllowed.replace("{state}", state), "careful");
  }

  undo() {
    const last = this.done.pop();
    if (!last) {
      if (!this.last) { Marginalia.toast(this.words.nothingToUndo); return; }
      this.outbox.push({ kind: "undo", url: this.url, key: Marginalia.label.uuid(), action: "undo", numbers: String(this.last), seen: "" });
      this.last = 0;
      return;
    }
    const sent = last.ops.filter((op) => !this.outbox.takeBack(op.key));
    this.back(last.places);
    if (last.action !== "assign") this.count(-last.numbers.length);
    this.go(last.numbers.includes(last.current) ? last.current : last.numbers[0]);
    this.say(this.words.undone, this.words.undoneMany, last.numbers);
    this.changed?.();
    for (const op of sent) this.outbox.push({ ...op, kind: "undo", url: this.url, key: Marginalia.label.uuid(), action: "undo" });
  }

  // the button at a ticket: my newest decision if it is about this one, otherwise its own newest move
  undoOf(number) {
    const last = this.done.at(-1);
    if (last?.numbers.length === 1 && last.numbers[0] === number) { this.undo(); return; }
    const seen = this.reader.pane.querySelector("#ticket")?.dataset.move || "";
    this.outbox.push({ kind: "undo", url: this.url, key: Marginalia.label.uuid(), action: "undo", numbers: String(number), seen });
  }

  back(places) {
    this.turns += 1;
    for (const { number } of places) this.gone.delete(number);
    this.list.put(places);
  }

  count(n) {
    this.decided += n;
    this.counted?.(this.decided);
  }

  say(one, many, numbers) {
    Marginalia.announce(numbers.length > 1 ? many.replace("{n}", numbers.length) : one.replace("{number}", numbers[0]));
  }

  // --- what the server says ---

  async deliver(op) {
    const { action, numbers, seen, why, answer, of, until, date, reach, to } = op;
    const again = op.tried > 0 ? "on" : "";
    const got = await this.post.to(op.url, { action, numbers, seen, why, answer, of, until, date, reach, to, again });
    if (got.again) return got;
    return { after: () => (got.refused ? this.refused(op, op.numbers.split(",").map((number) => ({ number: Number(number), sentence: got.refused }))) : this.taken(op, JSON.parse(got.html))) };
  }

  async taken(op, { done, refused }) {
    for (const { number, move, state } of done) {
      this.reader.forget(number);
      const row = this.list.row(number);
      if (row) Object.assign(row.dataset, { move, state });
    }
    if (refused.length) await this.refused(op, refused);
    const here = done.map((each) => each.number).filter((number) => this.list.row(number) || number === this.reader.shown);
    for (const number of here.slice(0, 20)) await this.renew(number);
    if (op.kind === "undo" && done.length && !here.length) await this.bring(done[0].number);
    this.saved?.(op);
  }

  // the row and the ticket as they are now
  async renew(number) {
    const article = await this.reader.refresh(number);
    const row = article?.querySelector("template[data-row]")?.content.querySelector(".ticket-row");
    if (row) this.list.update(row.cloneNode(true));
    return row;
  }

  // a ticket that is not in the list: an undo of an earlier sitting, a refused decision
  async bring(number, { go = true } = {}) {
    const article = await this.reader.load(number);
    const row = article?.querySelector("template[data-row]")?.content.querySelector(".ticket-row");
    this.gone.delete(number);
    if (row && !this.list.row(number)) this.list.root.prepend(row.cloneNode(true));
    if (go || !this.list.current) this.go(number);
    else this.settle();
    this.changed?.();
  }

  async refused(op, refused) {
    const at = this.done.findIndex((entry) => entry.ops.some((each) => each.key === op.key));
    const entry = at >= 0 ? this.done[at] : null;
    const numbers = new Set(refused.map((each) => each.number));
    // ten tickets that say the same say it once
    for (const sentence of new Set([...refused].map((each) => each.sentence))) Marginalia.toast(sentence, "bad");
    if (entry) {
      this.back(entry.places.filter((place) => numbers.has(place.number)));
      entry.numbers = entry.numbers.filter((number) => !numbers.has(number));
      entry.places = entry.places.filter((place) => !numbers.has(place.number));
      if (!entry.numbers.length) this.done.splice(at, 1);
      if (op.action !== "assign") this.count(-refused.length);
    }
    for (const number of [...numbers].slice(0, 20)) {
      const row = await this.renew(number);
      if (row && this.states.length && !this.states.includes(row.dataset.state)) this.list.leave(number, "");
    }
    if (!this.list.current && this.list.numbers.length) this.go(this.list.numbers[0], { focus: false });
    else this.settle();
    this.changed?.();
  }
};
