// How many texts this person answered here in this sitting; survives a reload, ends with the tab or a long pause.
"use strict";

Marginalia.label.Counter = class {
  static PAUSE = 1_800_000; // ms; the summary ends a sitting after as long

  constructor({ words, name }) {
    this.words = words;
    this.name = `marginalia.session.${name}`;
    this.place = document.getElementById("session");
    this.count = this.stored();
    this.draw();
  }

  stored() {
    try {
      const { count, at } = JSON.parse(sessionStorage.getItem(this.name)) || {};
      return Date.now() - at < Marginalia.label.Counter.PAUSE ? count : 0;
    } catch {
      return 0;
    }
  }

  add(change) {
    this.count = Math.max(0, this.count + change);
    try { sessionStorage.setItem(this.name, JSON.stringify({ count: this.count, at: Date.now() })); } catch { /* counts until the reload */ }
    this.draw();
  }

  draw() {
    this.place.hidden = !this.count;
    this.place.textContent = this.words.session.replace("{n}", this.count);
  }
};
