// Answers on their way. Each lies in localStorage under its own key until the server has taken or refused it, so that a
// closed lid, a reload or a dead server loses nothing. Sending twice is harmless: every one carries its key.
"use strict";

Marginalia.label ??= {};

Marginalia.label.Outbox = class {
  static ORPHAN_MS = 30_000; // what another tab has not sent by then is sent from here

  constructor({ name, deliver, changed }) {
    this.prefix = `marginalia.unsent.${name}.`;
    this.deliver = deliver;
    this.changed = changed;
    this.spare = new Map(); // where storage is refused or full
    this.inFlight = null;
    this.failures = 0;
    this.trouble = "";
    this.timer = 0;
    this.tab = this.ownTab();
    window.addEventListener("online", () => this.flush(true));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.flush(true); });
  }

  ownTab() {
    try {
      const known = sessionStorage.getItem("marginalia.tab");
      if (known) return known;
      const made = Marginalia.label.uuid();
      sessionStorage.setItem("marginalia.tab", made);
      return made;
    } catch {
      return Marginalia.label.uuid();
    }
  }

  all() {
    const found = [...this.spare.values()];
    try {
      for (let at = 0; at < localStorage.length; at += 1) {
        const place = localStorage.key(at);
        if (place.startsWith(this.prefix)) found.push(this.read(place));
      }
    } catch { /* storage is refused: what is in `spare` is all there is */ }
    return found.filter(Boolean).sort((a, b) => a.at - b.at);
  }

  read(place) {
    try {
      return JSON.parse(localStorage.getItem(place));
    } catch {
      return null;
    }
  }

  mine() {
    return this.all().filter((op) => op.tab === this.tab || Date.now() - op.at > Marginalia.label.Outbox.ORPHAN_MS);
  }

  push(op) {
    const last = this.mine().at(-1);
    const kept = { ...op, tab: this.tab, at: Math.max(Date.now(), (last?.at || 0) + 1), tried: 0 };
    this.write(kept);
    this.tell();
    this.flush();
    return kept;
  }

  write(op) {
    try {
      localStorage.setItem(this.prefix + op.key, JSON.stringify(op));
    } catch {
      this.spare.set(op.key, op);
    }
  }

  remove(key) {
    this.spare.delete(key);
    try { localStorage.removeItem(this.prefix + key); } catch { /* it was never stored */ }
    this.tell();
  }

  // an op that was never sent can simply be forgotten; one that may have arrived cannot
  takeBack(key) {
    const op = this.all().find((each) => each.key === key);
    if (!op || op.tried || this.inFlight === key) return false;
    this.remove(key);
    return true;
  }

  // what is held back for a moment goes out now
  letGo() {
    for (const op of this.mine()) if (op.holdUntil) this.write({ ...op, holdUntil: 0 });
    this.flush(true);
  }

  // answers have arrived, or cannot for now, or the time is over
  async sent(most) {
    const until = performance.now() + most;
    while (this.mine().some((op) => !(op.holdUntil > Date.now())) && !this.trouble && performance.now() < until) await new Promise((resume) => { setTimeout(resume, 30); });
  }

  holds(token) {
    return Boolean(token) && this.all().some((op) => op.token === token && op.kind !== "undo");
  }

  tell() {
    const waiting = this.mine();
    this.changed({ waiting: waiting.length, trouble: this.trouble, sending: Boolean(this.inFlight) });
  }

  async flush(now = false) {
    if (now) this.failures = 0;
    clearTimeout(this.timer);
    if (this.inFlight) return;
    const op = this.mine()[0];
    if (!op) { this.trouble = ""; this.tell(); return; }
    const early = (op.holdUntil || 0) - Date.now();
    if (early > 0 && this.mine().length === 1) {
      this.timer = setTimeout(() => this.flush(), early);
      return;
    }
    await this.send(op);
  }

  async send(op) {
    this.inFlight = op.key;
    this.write({ ...op, tried: op.tried + 1 });
    this.tell();
    let answer;
    try {
      answer = await this.deliver(op);
    } catch (error) {
      answer = { again: error.trouble || "unreachable" };
    }
    this.inFlight = null;
    if (answer.again) {
      this.trouble = answer.again;
      this.failures += 1;
      this.tell();
      const wait = Math.min(30_000, 500 * 2 ** Math.min(this.failures, 6));
      this.timer = setTimeout(() => this.flush(), wait * (0.8 + 0.4 * Math.random()));
      return;
    }
    this.failures = 0;
    this.trouble = "";
    this.remove(op.key);
    await answer.after?.();
    this.flush();
  }
};

Marginalia.label.uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  // plain http on a local network has no randomUUID, but has random values
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
};
