// What somebody in training is told right after an answer: it stands where the text stood until they go on.
"use strict";

Marginalia.label.Lesson = class {
  constructor({ paper, words }) {
    Object.assign(this, { paper, words, open: false });
    this.slot = document.getElementById("lesson-slot");
  }

  show(lesson, after) {
    this.open = true;
    this.paper.form.hidden = true;
    const on = document.createElement("button");
    on.type = "button";
    on.className = "primary";
    on.id = "lesson-on";
    on.textContent = this.words.goOn;
    on.addEventListener("click", () => {
      this.close();
      after();
    }, { once: true });
    lesson.append(on);
    this.slot.replaceChildren(lesson);
    Marginalia.announce(lesson.querySelector("#lesson-title").textContent);
    on.focus({ preventScroll: true });
  }

  close() {
    if (!this.open) return;
    this.open = false;
    this.slot.replaceChildren();
  }
};
