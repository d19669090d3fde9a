// How many texts this person answered in this sitting; survives a reload, ends with the tab.
"use strict";

Marginalia.label.Counter = class {
  constructor(words) {
    this.words = words;
    this.place = document.getElementById("session");
    this.count = Number(this.stored()) || 0;
    this.draw();
  }

  stored() {
    try { return sessionStorage.getItem("marginalia.session"); } catch { return 0; }
  }

  add(change) {
    this.count = Math.max(0, this.count + change);
    try { sessionStorage.setItem("marginalia.session", this.count); } catch { /* counts until the reload */ }
    this.draw();
  }

  draw() {
    this.place.hidden = !this.count;
    this.place.textContent = this.words.session.replace("{n}", this.count);
  }
};
