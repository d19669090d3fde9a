// What an outcome asks: a reason, another ticket, until when, who. One key each; the forms are plain ones.
"use strict";

Marginalia.triage.Dialogs = class {
  constructor({ words, find, act, list }) {
    Object.assign(this, { words, find, act, list });
    this.numbers = [];
    for (const dialog of document.querySelectorAll(".triage-dialog")) this.set(dialog);
    this.picker = new Marginalia.triage.Picker({ dialog: document.getElementById("do-duplicate"), find });
  }

  set(dialog) {
    if (dialog.open) dialog.close(); // opened by the server for those without scripts
    dialog.addEventListener("submit", (event) => this.submit(event, dialog));
    dialog.addEventListener("keydown", (event) => this.key(event, dialog));
    dialog.addEventListener("click", (event) => {
      if (event.target.closest("[data-leave]") || event.target === dialog) dialog.close();
    });
  }

  has(action) {
    return Boolean(document.getElementById(`do-${action}`));
  }

  open(action, numbers) {
    const dialog = document.getElementById(`do-${action}`);
    if (!dialog || !numbers.length || dialog.open) return;
    this.numbers = numbers;
    const [one, many] = [this.words.titles[action], this.words.titlesMany[action]];
    dialog.querySelector("h2").textContent = numbers.length > 1 ? many.replace("{n}", numbers.length) : one.replace("{number}", numbers[0]);
    dialog.querySelector("form").reset();
    dialog.showModal();
    if (action === "duplicate") this.picker.start(numbers[0]);
    else dialog.querySelector(".triage-choices button").focus();
  }

  submit(event, dialog) {
    event.preventDefault();
    const { action } = dialog.dataset;
    const values = Object.fromEntries(new FormData(dialog.querySelector("form"), event.submitter));
    for (const spare of ["csrfmiddlewaretoken", "numbers", "seen", "action"]) delete values[spare];
    if (action === "duplicate" && this.picker.late) { this.picker.wanted = true; return; } // Enter was quicker than the search
    if (action === "duplicate") values.of = this.picker.chosen || values.of;
    if (values.until && values.until !== "date") delete values.date;
    if (values.until && values.until !== "reach") delete values.reach;
    const empty = { duplicate: ["of", "duplicate-of"], snooze: [values.until, `snooze-${values.until}`] }[action];
    if (empty && ["of", "date", "reach"].includes(empty[0]) && !values[empty[0]]) {
      document.getElementById(empty[1])?.focus();
      return;
    }
    dialog.close();
    this.act(action, values, this.numbers);
  }

  key(event, dialog) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input:not([type=hidden]), textarea");
    if (event.key === "Escape" && field?.tagName === "TEXTAREA") {
      event.preventDefault();
      dialog.querySelector(".triage-choices button").focus();
      return;
    }
    if (event.key === "Enter" && ["snooze-date", "snooze-reach"].includes(field?.id)) {
      event.preventDefault();
      field.parentElement.querySelector("button").click();
      return;
    }
    if (field || dialog.dataset.action === "duplicate") return;
    if (event.key.toLowerCase() === "t" && dialog.dataset.action === "dismiss") {
      event.preventDefault();
      dialog.querySelector("textarea").focus();
      return;
    }
    this.move(event, dialog);
    const cap = [...dialog.querySelectorAll(".triage-choices kbd")].find((each) => each.textContent === event.key);
    if (!cap) return;
    event.preventDefault();
    if (cap.dataset.to) document.getElementById(cap.dataset.to).focus();
    else cap.closest("button").click();
  }

  move(event, dialog) {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const choices = [...dialog.querySelectorAll(".triage-choices li > button:first-child, .triage-choices input")];
    const at = choices.indexOf(document.activeElement);
    choices[(at + step + choices.length) % choices.length].focus();
  }
};

// the other ticket: those most like it first; typing searches among all
Marginalia.triage.Picker = class {
  constructor({ dialog, find }) {
    // late: the list is not yet about what was typed; wanted: it is to be taken as soon as it is
    Object.assign(this, { dialog, find, of: 0, at: -1, asked: 0, late: false, wanted: false });
    this.field = dialog.querySelector("#duplicate-of");
    this.options = dialog.querySelector("#duplicate-list");
    this.field.addEventListener("input", () => {
      this.expect(true);
      this.soon = setTimeout(() => this.search(), 150);
    });
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.options.addEventListener("click", (event) => {
      const option = event.target.closest("[data-number]");
      if (!option) return;
      this.mark([...this.all].indexOf(option));
      dialog.querySelector("form").requestSubmit();
    });
  }

  get all() {
    return [...this.options.querySelectorAll("[data-number]")];
  }

  get chosen() {
    return this.all[this.at]?.dataset.number || "";
  }

  // what is on its way is not asked for any more
  expect(late) {
    clearTimeout(this.soon);
    this.asked += 1;
    Object.assign(this, { late, wanted: false });
  }

  start(number) {
    this.expect(false);
    this.of = number;
    this.options.replaceChildren();
    this.mark(-1);
    this.field.focus();
    this.search();
  }

  async search() {
    const turn = ++this.asked;
    const address = `${this.find}?${new URLSearchParams({ ticket: this.of, q: this.field.value })}`;
    const response = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
    const html = response?.ok ? await response.text().catch(() => "") : "";
    if (turn !== this.asked) return;
    this.late = false;
    this.options.replaceChildren(Marginalia.triage.parse(html));
    this.mark(this.all.length ? 0 : -1);
    if (!this.wanted || !this.dialog.open) return;
    this.wanted = false;
    this.dialog.querySelector("form").requestSubmit();
  }

  mark(at) {
    this.at = at;
    this.all.forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    if (at >= 0) {
      this.field.setAttribute("aria-activedescendant", this.all[at].id);
      this.all[at].scrollIntoView({ block: "nearest" });
    } else this.field.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.isComposing || !["ArrowDown", "ArrowUp"].includes(event.key) || !this.all.length) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    this.mark((this.at + step + this.all.length) % this.all.length);
  }
};
