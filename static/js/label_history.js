// Walking back through one's own answers: K older, J newer, until the queue is reached again.
"use strict";

Marginalia.label.History = class {
  constructor({ desk, post, url }) {
    Object.assign(this, { desk, post, url });
    this.box = document.getElementById("history");
    this.slot = document.getElementById("history-slot");
    this.cards = [];
    this.at = -1;
    this.box.addEventListener("toggle", () => { if (this.box.open && this.at < 0) this.load(); });
    this.slot.addEventListener("click", (event) => {
      const link = event.target.closest("[data-earlier]");
      if (!link || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.open(this.cards.findIndex((card) => card.item === link.dataset.earlier));
    });
  }

  async load() {
    await this.desk.outbox.sent(1500); // the list has what was answered a moment ago
    const html = await this.post.piece(this.url).catch(() => "");
    if (!html) return false;
    const piece = Marginalia.label.Paper.parse(html);
    this.cards = Marginalia.label.Paper.cards(piece);
    this.slot.replaceChildren(piece);
    this.mark();
    return true;
  }

  async older() {
    if (this.at < 0 && !await this.load()) Marginalia.toast(Marginalia.words.offline, "bad");
    else if (this.at + 1 < this.cards.length) this.open(this.at + 1);
    else Marginalia.toast(this.desk.words.noOlder);
  }

  newer() {
    if (this.at > 0) this.open(this.at - 1);
    else this.desk.present();
  }

  open(at) {
    if (!this.cards[at]) return;
    this.at = at;
    this.desk.look(this.cards[at]);
    this.mark();
  }

  mark() {
    for (const link of this.slot.querySelectorAll("[data-earlier]")) {
      const here = this.at >= 0 && this.cards[this.at].item === link.dataset.earlier;
      if (here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
};
