// Putting a card on the page: text, margin notes, answers, note and flag. Nothing here talks to the server.
"use strict";

Marginalia.label.Paper = class {
  constructor({ answers, words }) {
    this.answers = answers;
    this.words = words;
    this.state = document.getElementById("item-state");
    this.form = document.getElementById("answer");
    this.heading = document.getElementById("item-heading");
    this.text = document.getElementById("text-slot");
    this.about = document.getElementById("about-slot");
    this.nothing = document.getElementById("nothing");
    this.note = document.getElementById("note");
    this.noteBox = document.getElementById("note-box");
    this.flagged = document.getElementById("flagged");
    this.notice = document.getElementById("notice");
    this.main = document.getElementById("main");
    this.since = performance.now();
    this.away = 0;
    document.addEventListener("visibilitychange", () => this.pause());
  }

  static cards(node) {
    return [...node.querySelectorAll("template[data-card]")].map((template) => ({
      token: template.dataset.token,
      item: template.dataset.item,
      pairs: JSON.parse(template.dataset.pairs),
      blind: "blind" in template.dataset,
      chosen: Number(template.dataset.chosen) || null,
      note: template.dataset.note || "",
      flagged: "flagged" in template.dataset,
      text: template.content.querySelector(".reading"),
      about: template.content.querySelector(".about"),
    }));
  }

  static parse(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content;
  }

  show(card, { focus = true, state = "" } = {}) {
    this.form.hidden = false;
    this.nothing.hidden = true;
    this.form.removeAttribute("aria-busy");
    this.form.querySelector("[name=token], [name=item]").value = card.token || card.item;
    this.text.replaceChildren(card.text);
    this.about.replaceChildren(card.about);
    this.state.textContent = state || (card.blind ? this.words.blind : "");
    this.answers.show(card, card.chosen);
    this.note.value = card.note;
    this.noteBox.open = Boolean(card.note);
    this.flagged.checked = card.flagged;
    if (window.scrollY) window.scrollTo(0, 0);
    if (focus) this.focus();
    this.since = performance.now();
    this.away = 0;
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  busy() {
    this.form.setAttribute("aria-busy", "true");
  }

  empty() {
    this.form.hidden = true;
    this.nothing.hidden = false;
    this.about.replaceChildren();
    (this.nothing.querySelector("[tabindex]") || this.main).focus({ preventScroll: true });
  }

  // what the person typed or ticked, kept on the card so that an undo brings it back
  collect(card, label) {
    card.chosen = label;
    card.note = this.note.value.trim();
    card.flagged = this.flagged.checked;
    return { label, note: card.note, flagged: card.flagged ? "on" : "", seconds: this.seconds() };
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
    if (!sentence) return;
    const line = document.createElement("p");
    line.textContent = sentence;
    this.notice.append(line, ...more);
  }
};
