// What the colours mean, and which of them are shown. A place is a colour of the palette; lower ones lie below.
"use strict";

Marginalia.map.Legend = class {
  static MOST = 12; // labels with a colour of their own; the rest is grey
  static STEPS = [0.5, 0.7, 0.9, 0.97]; // of confidence
  static FIRST = 4; // 0 nothing known, 1 other labels, 2 none of them, 3 several

  constructor(root, points, words, changed) {
    Object.assign(this, { root, points, words, changed });
    this.probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  }

  choose(by) {
    this.by = by;
    this.hidden = new Set();
    this.picked = -1;
    this.sort();
    this.render();
    this.apply();
  }

  sort() {
    const { MOST, FIRST, STEPS } = Marginalia.map.Legend;
    this.entries = new Map();
    if (this.by === "confidence") {
      this.placeOf = new Uint8Array(256);
      for (let c = 1; c < 256; c++) this.placeOf[c] = FIRST + STEPS.filter((step) => (c - 1) / 254 >= step).length;
      STEPS.concat([1]).forEach((_step, k) => this.entries.set(FIRST + k, { name: this.words.steps[k], look: `map-step-${k + 1}` }));
      this.entries.set(0, { name: this.words.noPrediction, look: "map-none" });
    } else {
      this.sortLabels(MOST, FIRST);
    }
    this.count();
  }

  sortLabels(most, first) {
    const labels = this.points.head.labels;
    const counts = new Uint32Array(labels.length + 3);
    for (const code of this.points[this.by]) counts[code]++;
    const used = labels.map((label, k) => ({ ...label, code: k + 3, n: counts[k + 3] })).filter((label) => label.n);
    this.used = used.sort((a, b) => b.n - a.n || a.code - b.code);
    const top = used.slice(0, most);
    const own = new Set(top.map((label) => label.color)).size === top.length && used.length <= most;
    this.placeOf = new Uint8Array(labels.length + 3).fill(1);
    this.placeOf[0] = 0;
    this.placeOf[1] = 2;
    this.placeOf[2] = 3;
    top.forEach((label, k) => {
      this.placeOf[label.code] = first + k;
      this.entries.set(first + k, { name: label.name, look: `label-${own ? label.color : k + 1}` });
    });
    if (this.picked >= 0) {
      this.placeOf[this.picked] = first + most;
      this.entries.set(first + most, { name: labels[this.picked - 3].name, look: "map-chosen" });
    }
    this.entries.set(3, { name: this.words.several, look: "map-several" });
    this.entries.set(2, { name: this.words.nothing, look: "map-nothing" });
    this.entries.set(1, { name: this.words.others, look: "map-other" });
    this.entries.set(0, { name: this.by === "truth" ? this.words.unlabelled : this.words.noPrediction, look: "map-none" });
  }

  count() {
    const counts = new Map();
    for (const code of this.points[this.by]) counts.set(this.placeOf[code], (counts.get(this.placeOf[code]) || 0) + 1);
    for (const [place, entry] of [...this.entries]) {
      entry.n = counts.get(place) || 0;
      if (!entry.n) this.entries.delete(place);
    }
  }

  render() {
    const title = document.createElement("h2");
    title.textContent = this.by === "truth" ? this.words.byTruth : this.words[this.by].replace("{version}", this.points.head.version);
    const list = document.createElement("ul");
    for (const [place, entry] of this.entries) list.append(this.row(place, entry));
    this.root.replaceChildren(title, list);
    if (this.by !== "confidence" && this.used.length > Marginalia.map.Legend.MOST) this.root.append(this.finder());
  }

  row(place, entry) {
    const row = document.createElement("li"), label = document.createElement("label");
    const box = document.createElement("input"), swatch = document.createElement("span");
    const name = document.createElement("span"), n = document.createElement("span");
    box.type = "checkbox";
    box.checked = !this.hidden.has(place);
    box.addEventListener("change", () => {
      if (box.checked) this.hidden.delete(place);
      else this.hidden.add(place);
      this.apply();
    });
    swatch.className = `swatch ${entry.look}`;
    name.textContent = name.title = entry.name;
    n.className = "num quieter";
    n.textContent = entry.n.toLocaleString(document.documentElement.lang);
    label.append(box, swatch, name, n);
    row.append(label);
    return row;
  }

  // with many labels: one of them alone among the unlabelled
  finder() {
    const field = document.createElement("div"), label = document.createElement("label");
    const choice = document.createElement("select");
    field.className = "field";
    choice.id = "map-one";
    label.htmlFor = "map-one";
    label.textContent = this.words.one;
    choice.append(new Option(this.words.all, "-1"));
    for (const each of [...this.used].sort((a, b) => a.name.localeCompare(b.name))) {
      choice.append(new Option(`${each.name} (${each.n})`, each.code, false, each.code === this.picked));
    }
    choice.addEventListener("change", () => this.pick(Number(choice.value)));
    field.append(label, choice);
    return field;
  }

  pick(code) {
    this.picked = code;
    this.sort();
    const { MOST, FIRST } = Marginalia.map.Legend;
    this.hidden = new Set(code < 0 ? [] : [...this.entries.keys()].filter((place) => place !== 0 && place !== FIRST + MOST));
    this.render();
    this.apply();
    this.root.querySelector("#map-one")?.focus();
  }

  // places and palette for the view; colours are read from the swatches, which follow the theme
  apply() {
    const codes = this.points[this.by], places = new Uint8Array(codes.length);
    for (let i = 0; i < codes.length; i++) {
      const place = this.placeOf[codes[i]];
      places[i] = this.hidden.has(place) ? 255 : place;
    }
    this.places = places;
    this.changed(places, this.palette());
  }

  palette() {
    const palette = new Uint32Array(256);
    const swatches = this.root.querySelectorAll(".swatch");
    [...this.entries.keys()].forEach((place, k) => {
      this.probe.fillStyle = getComputedStyle(swatches[k]).backgroundColor;
      this.probe.fillRect(0, 0, 1, 1);
      palette[place] = new Uint32Array(this.probe.getImageData(0, 0, 1, 1).data.buffer)[0];
    });
    return palette;
  }
};
