// What a label means, with examples, in the margin beside it while it is pointed at or has the focus.
"use strict";

Marginalia.label.explain = ({ root, labels, aside = () => "" }) => {
  const byId = new Map(labels.map((label) => [label.id, label]));
  const note = document.getElementById("label-note");
  const list = note.querySelector("ul");

  const explain = (event) => {
    const row = event.target.closest?.("[data-label]");
    const found = row && byId.get(Number(row.dataset.label));
    const about = found ? [found.about, aside(found.id)].filter(Boolean).join("\n") : "";
    note.hidden = !about && !found?.examples.length;
    if (note.hidden) return;
    note.querySelector("h2").textContent = found.name;
    note.querySelector("p").textContent = about;
    list.hidden = !found.examples.length;
    list.replaceChildren(...found.examples.map((example) => {
      const line = document.createElement("li");
      line.textContent = example;
      return line;
    }));
    note.style.top = `${Math.max(0, row.getBoundingClientRect().top - note.offsetParent.getBoundingClientRect().top)}px`;
  };
  root.addEventListener("pointerover", explain);
  root.addEventListener("focusin", explain);
  root.addEventListener("pointerleave", () => { note.hidden = true; });
};
