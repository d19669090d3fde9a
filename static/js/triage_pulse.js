// What others do meanwhile. htmx asks every few seconds and hears nothing while nothing has changed; what has changed is
// written where it stands. New tickets are counted, and shown when the person asks for them.
"use strict";

Marginalia.triage.Pulse = class {
  constructor({ desk, list, reader, words }) {
    Object.assign(this, { desk, list, reader, words });
    this.fresh = new Set();
    this.known = new Set([...this.read().numbers, ...list.numbers]);
    this.button = document.getElementById("triage-fresh");
    this.button.addEventListener("click", () => this.show());
    document.addEventListener("htmx:load", (event) => { if (event.detail.elt?.id === "pulse") this.heard(); });
    document.addEventListener("htmx:beforeRequest", (event) => { if (this.about(event) && document.hidden) event.preventDefault(); });
    // a poll that fails is no news: the next one tells
    for (const trouble of ["htmx:sendError", "htmx:responseError"]) {
      window.addEventListener(trouble, (event) => {
        if (!this.about(event)) return;
        event.stopPropagation();
        Marginalia.connection(false);
      }, true);
    }
  }

  about(event) {
    return event.detail?.elt?.id === "pulse" || event.target?.id === "pulse";
  }

  read() {
    return JSON.parse(document.getElementById("pulse-news").textContent);
  }

  heard() {
    const { numbers, waiting, moved: moves } = this.read();
    const moved = new Map(moves.map((move) => [move.number, move]));
    this.counts(waiting);
    this.rows();
    if (!this.desk.outbox.mine().length) this.left(new Set(numbers), moved);
    this.news(numbers);
  }

  counts(waiting) {
    const place = document.getElementById("triage-counts");
    place.replaceChildren(document.getElementById("pulse-counts").content.cloneNode(true));
    const rail = document.querySelector(".rail [aria-current] .count");
    if (rail) rail.firstChild.textContent = waiting > 999 ? "999+" : waiting || "";
  }

  rows() {
    for (const row of document.getElementById("pulse-rows").content.querySelectorAll(".ticket-row")) {
      const number = Number(row.dataset.number);
      const old = this.list.row(number);
      if (!old) continue;
      const changed = old.dataset.move !== row.dataset.move || old.dataset.reach !== row.dataset.reach;
      this.list.update(row.cloneNode(true));
      if (!changed) continue;
      this.reader.forget(number);
      if (number === this.reader.shown) this.reader.refresh(number);
    }
  }

  // a row that does not belong here any more says who moved it, and stays until the person moves on
  left(numbers, moved) {
    const complete = numbers.size < 500;
    for (const number of this.list.numbers) {
      const move = moved.get(number);
      const away = move ? this.desk.states.length && !this.desk.states.includes(move.state) : complete && !numbers.has(number);
      if (!away) continue;
      this.list.leave(number, move?.words || "");
      this.reader.forget(number);
      if (number !== this.list.current) continue;
      this.reader.refresh(number);
      if (move) Marginalia.toast(this.words.moved.replace("{number}", number).replace("{words}", move.words), "careful");
    }
  }

  news(numbers) {
    const before = this.fresh.size;
    const standing = new Set(numbers);
    for (const number of [...this.fresh]) if (!standing.has(number)) this.fresh.delete(number);
    for (const number of numbers) if (!this.known.has(number) && !this.desk.gone.has(number) && !this.list.row(number)) this.fresh.add(number);
    if (this.fresh.size && !this.list.numbers.length) { this.show({ quiet: true }); return; }
    this.button.hidden = !this.fresh.size;
    this.button.querySelector("span").textContent = this.words.fresh.replace("{n}", this.fresh.size);
    if (this.fresh.size > before) Marginalia.announce(this.words.freshHeard.replace("{n}", this.fresh.size));
  }

  async show({ quiet = false } = {}) {
    if (!this.fresh.size) return;
    const held = document.activeElement === this.button;
    const coming = [...this.fresh];
    for (const number of coming) this.known.add(number);
    this.fresh.clear();
    this.button.hidden = true;
    if (!await this.desk.reload()) { // they still wait
      for (const number of coming) { this.known.delete(number); this.fresh.add(number); }
      this.button.hidden = false;
      Marginalia.announce(Marginalia.words.offline);
      if (held) this.button.focus();
      return;
    }
    Marginalia.announce(this.words.shown);
    if (held && !quiet) this.reader.focus();
  }
};
