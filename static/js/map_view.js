// Draws points into a canvas, pixel by pixel: a hundred thousand of them take 4 ms of a processor, 9 on a dense screen, with or
// without a graphics card, and look the same everywhere. A second canvas above holds what moves: rings and the lasso.
"use strict";

Marginalia.map.View = class {
  constructor(dots, over, points) {
    this.dots = dots;
    this.over = over;
    this.points = points;
    this.context = dots.getContext("2d");
    this.above = over.getContext("2d");
    this.times = []; // milliseconds of the last frames
    this.ring = [];
    this.line = [];
    this.colours = new Uint32Array(0);
    this.moving = 0;
  }

  resize() {
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    this.width = this.over.clientWidth;
    this.height = this.over.clientHeight;
    this.over.width = Math.max(1, Math.round(this.width * this.ratio));
    this.over.height = Math.max(1, Math.round(this.height * this.ratio));
    this.fine = this.sheet(this.ratio);
    this.coarse = this.ratio > 1 ? this.sheet(1) : this.fine;
    this.slow = false;
    this.use(this.fine);
  }

  sheet(ratio) {
    const width = Math.max(1, Math.round(this.width * ratio)), height = Math.max(1, Math.round(this.height * ratio));
    const image = this.context.createImageData(width, height);
    return { ratio, image, pixels: new Uint32Array(image.data.buffer) };
  }

  use(sheet) {
    if (this.used === sheet) return;
    this.used = sheet;
    this.dots.width = sheet.image.width;
    this.dots.height = sheet.image.height;
  }

  // where every pixel of a dense screen takes too long, it is drawn at half the density until the hand rests
  moved() {
    this.moving = performance.now();
    clearTimeout(this.rest);
    if (this.coarse !== this.fine) this.rest = setTimeout(() => this.ask(), 160);
    this.ask();
  }

  fit() {
    this.whole = 0.47 * Math.min(this.width, this.height);
    this.scale = this.whole;
    this.left = this.width / 2;
    this.top = this.height / 2;
    this.ask();
  }

  // CSS pixels to the map's −1 … 1
  place(px, py) {
    return [(px - this.left) / this.scale, (py - this.top) / this.scale];
  }

  pan(dx, dy) {
    const reach = this.scale;
    this.left = Math.max(-reach + 40, Math.min(this.width + reach - 40, this.left + dx));
    this.top = Math.max(-reach + 40, Math.min(this.height + reach - 40, this.top + dy));
    this.moved();
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const scale = Math.max(this.whole * 0.5, Math.min(this.whole * 400, this.scale * factor));
    const ratio = scale / this.scale;
    this.left = px - (px - this.left) * ratio;
    this.top = py - (py - this.top) * ratio;
    this.scale = scale;
    this.moved();
  }

  // moves only as far as needed to bring a point into view
  show(i) {
    const px = this.points.x[i] * this.scale + this.left, py = this.points.y[i] * this.scale + this.top;
    const dx = px < 30 ? 30 - px : px > this.width - 30 ? this.width - 30 - px : 0;
    const dy = py < 30 ? 30 - py : py > this.height - 30 ? this.height - 30 - py : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  // places[i]: which colour of the palette a point has, 255: hidden. Lower places are drawn below higher ones
  paint(places, palette) {
    const n = this.points.n, starts = new Uint32Array(257);
    for (let i = 0; i < n; i++) starts[places[i] + 1]++;
    for (let p = 0; p < 256; p++) starts[p + 1] += starts[p];
    const total = starts[255];
    this.xs = new Float32Array(total);
    this.ys = new Float32Array(total);
    this.colours = new Uint32Array(total);
    for (let i = 0; i < n; i++) {
      if (places[i] === 255) continue;
      const at = starts[places[i]]++;
      this.xs[at] = this.points.x[i];
      this.ys[at] = this.points.y[i];
      this.colours[at] = palette[places[i]];
    }
    this.ask();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const started = performance.now();
      this.draw();
      this.drawAbove();
      this.times.push(performance.now() - started);
      if (this.times.length > 600) this.times.shift();
    });
  }

  radius() {
    const crowd = this.points.n > 40000 ? 1 : this.points.n > 5000 ? 1.5 : 2.5;
    return Math.min(5, crowd * Math.pow(this.scale / this.whole, 0.4));
  }

  draw() {
    const started = performance.now();
    this.use(this.slow && started - this.moving < 150 ? this.coarse : this.fine);
    const { xs, ys, colours } = this, { pixels, ratio, image } = this.used;
    const width = this.dots.width, height = this.dots.height;
    pixels.fill(0);
    const radius = this.radius() * ratio, reach = Math.ceil(radius);
    const disc = this.disc(radius, reach, width);
    const scale = this.scale * ratio, left = this.left * ratio, top = this.top * ratio;
    const right = width - reach, bottom = height - reach;
    for (let i = 0; i < colours.length; i++) {
      const px = (xs[i] * scale + left) | 0, py = (ys[i] * scale + top) | 0;
      if (px < reach || py < reach || px >= right || py >= bottom) continue;
      const at = py * width + px, colour = colours[i];
      for (let k = 0; k < disc.length; k++) pixels[at + disc[k]] = colour;
    }
    this.context.putImageData(image, 0, 0);
    if (this.used === this.fine) this.slow = performance.now() - started > 9;
  }

  disc(radius, reach, width) {
    const key = `${radius.toFixed(1)} ${width}`;
    if (this.discKey === key) return this.discKept;
    const found = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) if (dx * dx + dy * dy <= radius * radius + 0.3) found.push(dy * width + dx);
    }
    this.discKey = key;
    this.discKept = Int32Array.from(found);
    return this.discKept;
  }

  drawAbove() {
    const pen = this.above;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.strokeStyle = pen.fillStyle = getComputedStyle(this.over).color;
    for (const [i, weight] of this.ring) {
      if (i < 0) continue;
      pen.lineWidth = weight;
      pen.beginPath();
      pen.arc(this.points.x[i] * this.scale + this.left, this.points.y[i] * this.scale + this.top, this.radius() + 4, 0, 7);
      pen.stroke();
    }
    if (this.line.length < 2) return;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const [x, y] of this.line) pen.lineTo(x * this.scale + this.left, y * this.scale + this.top);
    pen.closePath();
    pen.globalAlpha = 0.08;
    pen.fill("evenodd");
    pen.globalAlpha = 1;
    pen.setLineDash([5, 3]);
    pen.stroke();
    pen.setLineDash([]);
  }
};
