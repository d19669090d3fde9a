// Two versions of one person's answer: one made here, one stored meanwhile from another window. Nothing is dropped until
// the person has chosen; the choice waits in localStorage like an unsent answer does.
"use strict";

Marginalia.label.Conflicts = class {
  constructor({ desk, name, words }) {
    Object.assign(this, { desk, words });
    this.prefix = `marginalia.conflict.${name}.`;
    this.spare = new Map();
  }

  all() {
    const found = [...this.spare.values()];
    try {
      for (const place of Object.keys(localStorage)) if (place.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(place)));
    } catch { /* only those in `spare` */ }
    return found.sort((a, b) => a.op.at - b.op.at);
  }

  add(op, html) {
    try { localStorage.setItem(this.prefix + op.key, JSON.stringify({ op, html })); } catch { this.spare.set(op.key, { op, html }); }
    this.show();
    this.desk.settle(true);
  }

  forget(key) {
    this.spare.delete(key);
    try { localStorage.removeItem(this.prefix + key); } catch { /* it was never stored */ }
  }

  show() {
    const [first] = this.all();
    if (!first || document.querySelector("dialog.conflict[open]")) return;
    const piece = Marginalia.label.Paper.parse(first.html).querySelector(".conflict");
    const dialog = document.createElement("dialog");
    dialog.className = "conflict";
    dialog.setAttribute("aria-labelledby", "conflict-title");
    dialog.append(piece);
    dialog.addEventListener("click", (event) => {
      const keep = event.target.closest("[data-keep]")?.dataset.keep;
      if (keep) { event.preventDefault(); this.keep(first.op, keep, Number(piece.dataset.base), dialog); }
    });
    // a choice that must be made: browsers close a dialog on a second Escape whatever is said to the first
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => { if (dialog.isConnected) dialog.showModal(); });
    document.body.append(dialog);
    dialog.showModal();
    // not on a button: an Enter meant for the next text must not choose
    dialog.querySelector("#conflict-title").focus();
  }

  keep(op, which, base, dialog) {
    this.forget(op.key);
    dialog.remove();
    this.desk.revisions.set(op.of_item, base);
    if (which === "mine") {
      this.desk.outbox.push({ ...op, base, stale: undefined });
    } else {
      this.desk.paper.drafts.drop(op);
      this.desk.done = this.desk.done.filter((entry) => entry.key !== op.key); // there is nothing to undo
    }
    Marginalia.announce(which === "mine" ? this.words.keptMine : this.words.keptStored);
    this.desk.paper.focus();
    this.show();
  }
};
