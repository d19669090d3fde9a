// "/" and a few letters: every label, best match first. A combobox with a listbox after the ARIA practices guide:
// the focus stays in the field, aria-activedescendant walks, Enter takes, Escape empties, then leaves.
"use strict";

Marginalia.label.Combobox = class {
  constructor({ labels, likelihood, take, stay = false, ticked = () => false }) {
    // stay: several are taken one after the other, the field keeps the focus
    Object.assign(this, { labels, likelihood, take, stay, ticked });
    this.input = document.getElementById("other-input");
    this.list = document.getElementById("other-list");
    this.found = [];
    this.at = -1;
    this.input.addEventListener("input", () => this.filter());
    this.input.addEventListener("focus", () => this.filter());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.key(event));
    // mousedown would take the focus away and close the list before the click arrives
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option?.dataset.label) this.accept(Number(option.dataset.label));
    });
  }

  open() {
    this.input.focus();
    this.input.select();
  }

  filter() {
    const wanted = this.input.value.trim();
    this.found = wanted
      ? Marginalia.label.match.sorted(this.labels, wanted, this.likelihood())
      : [...this.labels].sort((a, b) => (this.likelihood().get(b.id) || 0) - (this.likelihood().get(a.id) || 0));
    this.at = wanted && this.found.length ? 0 : -1;
    this.draw();
    if (wanted) this.count();
  }

  draw() {
    this.list.replaceChildren(...(this.found.length ? this.found.map((label, at) => this.option(label, at)) : [this.nothing()]));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.mark();
  }

  option(label, at) {
    const option = document.createElement("li");
    option.id = `other-${at}`;
    option.role = "option";
    option.dataset.label = label.id;
    option.className = `label-${label.color}`;
    const name = document.createElement("span");
    name.className = "answer-name";
    name.textContent = label.name;
    option.append(name);
    if (this.ticked(label.id)) option.classList.add("ticked");
    if (label.group) {
      const group = document.createElement("span");
      group.className = "group";
      group.textContent = label.group;
      name.append(" ", group);
    }
    const p = this.likelihood().get(label.id);
    if (p !== undefined) {
      const share = document.createElement("span");
      share.className = "num";
      share.textContent = Marginalia.words.percent.replace("{n}", Math.round(100 * p));
      option.append(share);
    }
    return option;
  }

  nothing() {
    const option = document.createElement("li");
    option.role = "option";
    option.className = "nothing";
    option.setAttribute("aria-disabled", "true");
    option.setAttribute("aria-selected", "false");
    option.textContent = Marginalia.words.nothing;
    return option;
  }

  mark() {
    for (const [at, option] of [...this.list.children].entries()) {
      option.classList.toggle("active", this.found.length > 0 && at === this.at);
      // where several may be taken, selected means taken, not where one is
      option.setAttribute("aria-selected", String(this.stay ? option.classList.contains("ticked") : at === this.at));
    }
    const active = this.found.length ? this.list.children[this.at] : null;
    if (active) {
      this.input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  count() {
    clearTimeout(this.counting);
    this.counting = setTimeout(() => Marginalia.announce((Marginalia.words.found || "{n}").replace("{n}", this.found.length)), 500);
  }

  key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      event.preventDefault();
      if (this.list.hidden) { this.filter(); return; }
      if (!this.found.length) return;
      const from = this.at < 0 && steps[event.key] < 0 ? 0 : this.at;
      this.at = (from + steps[event.key] + this.found.length) % this.found.length;
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!this.list.hidden && this.found[this.at]) this.accept(this.found[this.at].id);
      else if (this.stay && !this.input.value) { this.close(); this.leave(); } // done with searching
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (this.input.value) { this.input.value = ""; this.filter(); } else { this.close(); this.leave(); }
    }
  }

  accept(id) {
    this.input.value = "";
    if (this.stay) {
      this.take(id);
      this.filter();
      return;
    }
    this.close();
    this.leave();
    this.take(id);
  }

  leave() {
    document.getElementById("item-heading").focus({ preventScroll: true });
  }

  close() {
    clearTimeout(this.counting);
    this.list.hidden = true;
    this.list.replaceChildren();
    this.at = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
};
