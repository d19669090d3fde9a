// The points of a map as they come from the server (apps/explore/map_points.py says how they are written), and what is near.
"use strict";

Marginalia.map = (() => {
  const CELLS = 256; // along each side of the grid that nearest() looks into

  class Points {
    constructor(buffer) {
      const length = new DataView(buffer).getUint32(0, true);
      this.head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
      const n = this.n = this.head.n;
      let at = 4 + length;
      const take = (Kind) => {
        const part = new Kind(buffer, at, n);
        at += n * Kind.BYTES_PER_ELEMENT;
        return part;
      };
      const steps = take(Uint32Array), x = take(Uint16Array), y = take(Uint16Array);
      this.truth = take(Uint16Array);
      this.predicted = take(Uint16Array);
      this.confidence = take(Uint8Array);
      this.ids = new Float64Array(n);
      this.x = new Float32Array(n);
      this.y = new Float32Array(n);
      let id = this.head.base;
      for (let i = 0; i < n; i++) {
        id += steps[i];
        this.ids[i] = id;
        this.x[i] = x[i] / 32767.5 - 1;
        this.y[i] = y[i] / 32767.5 - 1;
      }
      this.index();
    }

    index() {
      const starts = this.starts = new Uint32Array(CELLS * CELLS + 1);
      for (let i = 0; i < this.n; i++) starts[cell(this.x[i], this.y[i]) + 1]++;
      for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
      const fill = starts.slice();
      this.sorted = new Uint32Array(this.n);
      for (let i = 0; i < this.n; i++) this.sorted[fill[cell(this.x[i], this.y[i])]++] = i;
    }

    // the point with the smallest cost(i), of those within reach that are shown; −1 for none
    best(x, y, reach, shown, cost) {
      const low = [column(x - reach), column(y - reach)], high = [column(x + reach), column(y + reach)];
      let found = -1, least = Infinity;
      for (let row = low[1]; row <= high[1]; row++) {
        const end = this.starts[row * CELLS + high[0] + 1];
        for (let at = this.starts[row * CELLS + low[0]]; at < end; at++) {
          const i = this.sorted[at];
          if (!shown(i)) continue;
          const price = cost(i);
          if (price < least) { least = price; found = i; }
        }
      }
      return found;
    }

    nearest(x, y, reach, shown) {
      const square = reach * reach;
      const away = (i) => {
        const d = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
        return d <= square ? d : Infinity;
      };
      return this.best(x, y, reach, shown, away);
    }

    // the next point to the right, left, above or below: the way sideways counts double
    towards(from, dx, dy, shown) {
      const x = this.x[from], y = this.y[from];
      const cost = (i) => {
        const along = (this.x[i] - x) * dx + (this.y[i] - y) * dy;
        const across = Math.abs((this.x[i] - x) * dy - (this.y[i] - y) * dx);
        return along > 1e-4 && across <= 2 * along ? along + 2 * across : Infinity;
      };
      for (let reach = 0.02; reach < 8; reach *= 4) {
        const found = this.best(x, y, reach, (i) => i !== from && shown(i), cost);
        if (found >= 0) return found;
      }
      return -1;
    }

    // how many lie inside a closed line of [x, y] corners; even-odd rule, like the server's
    inside(line) {
      const xs = line.map((p) => p[0]), ys = line.map((p) => p[1]);
      const left = Math.min(...xs), right = Math.max(...xs), top = Math.min(...ys), bottom = Math.max(...ys);
      let count = 0;
      for (let i = 0; i < this.n; i++) {
        const x = this.x[i], y = this.y[i];
        if (x < left || x > right || y < top || y > bottom) continue;
        let odd = false;
        for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
          if ((ys[a] > y) !== (ys[b] > y) && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
        }
        if (odd) count++;
      }
      return count;
    }
  }

  function column(value) {
    return Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));
  }

  function cell(x, y) {
    return column(y) * CELLS + column(x);
  }

  return { Points };
})();
