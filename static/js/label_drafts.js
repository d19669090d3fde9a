// What somebody has begun on a text and not sent: kept per text until the server has the answer, so that a reload, a
// closed lid or another tab on the way loses nothing.
"use strict";

Marginalia.label.Drafts = class {
  static DAYS = 7;

  constructor(name) {
    this.prefix = `marginalia.draft.${name}.`;
    this.prune();
  }

  place(card) {
    return this.prefix + (card.token || `item-${card.item}`);
  }

  of(card) {
    try { return JSON.parse(localStorage.getItem(this.place(card))); } catch { return null; }
  }

  keep(card, draft) {
    try { localStorage.setItem(this.place(card), JSON.stringify({ ...draft, at: Date.now() })); } catch { /* lasts as long as the page */ }
  }

  drop(card) {
    try { localStorage.removeItem(this.place(card)); } catch { /* was never kept */ }
  }

  prune() {
    const oldest = Date.now() - Marginalia.label.Drafts.DAYS * 86_400_000;
    try {
      const places = Object.keys(localStorage).filter((place) => place.startsWith(this.prefix));
      for (const place of places) if (!(JSON.parse(localStorage.getItem(place))?.at > oldest)) localStorage.removeItem(place);
    } catch { /* nothing is kept where storage is refused */ }
  }
};
