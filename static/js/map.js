// The map page: hands and keys on the canvas, the text that is pointed at, the lasso and what it holds.
"use strict";

(() => {
  const root = document.getElementById("map");
  if (!root) return;
  const words = JSON.parse(document.getElementById("map-words").textContent);
  const find = (selector) => root.querySelector(selector);
  const over = find(".map-over"), found = find(".map-found"), reader = find(".map-reader");
  const MOST_CORNERS = 80;
  let view, points, legend, chosen = -1, pointed = -1, lasso = false, asked = 0;

  const shown = (i) => legend.places[i] !== 255;

  // --- reading one text ---
  function ring() {
    view.ring = [[pointed, 1], [chosen, 2]];
    view.ask();
  }

  function choose(i) {
    chosen = i;
    ring();
    read(i);
  }

  function read(i) {
    if (i < 0) return;
    const turn = ++asked;
    setTimeout(async () => {
      if (turn !== asked) return; // the pointer has moved on
      const answer = await fetch(`${root.dataset.point}?item=${points.ids[i]}`).catch(() => null);
      const piece = answer?.ok ? await answer.text().catch(() => "") : "";
      if (turn !== asked) return;
      if (piece) reader.innerHTML = piece;
      else reader.textContent = answer?.status === 404 ? words.gone : Marginalia.words.offline;
    }, 120);
  }

  function at(event) {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function under(event, reach = 10) {
    return points.nearest(...view.place(...at(event)), reach / view.scale, shown);
  }

  // --- pointers: one moves or circles, two zoom ---
  const held = new Map();
  let moved = 0, drawing = false;

  over.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    over.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
    moved = 0;
    drawing = held.size === 1 && (lasso || event.shiftKey);
    if (drawing) {
      view.line = [view.place(...at(event))];
      found.hidden = true;
    } else over.classList.add("dragging");
  });

  over.addEventListener("pointermove", (event) => {
    const here = at(event), before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "touch") return;
      const i = under(event);
      if (i === pointed) return;
      pointed = i;
      ring();
      read(i);
      return;
    }
    moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (drawing) {
      view.line.push(view.place(...here));
      view.ask();
    } else if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const then = Math.hypot(before[0] - other[0], before[1] - other[1]), now = Math.hypot(here[0] - other[0], here[1] - other[1]);
      if (then > 0) view.zoom(now / then, (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    } else view.pan(here[0] - before[0], here[1] - before[1]);
    held.set(event.pointerId, here);
  });

  function release(event) {
    if (!held.delete(event.pointerId)) return;
    over.classList.remove("dragging");
    if (drawing) {
      drawing = false;
      if (moved > 20) enclose(view.line);
      else clear();
    } else if (moved < 5 && event.type === "pointerup") choose(under(event, event.pointerType === "touch" ? 22 : 12));
  }
  over.addEventListener("pointerup", release);
  over.addEventListener("pointercancel", release);
  over.addEventListener("pointerleave", () => { pointed = -1; ring(); });
  over.addEventListener("dblclick", (event) => view.zoom(2, ...at(event)));
  over.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...at(event));
  }, { passive: false });

  // --- areas ---
  function enclose(line) {
    const every = Math.max(1, Math.ceil(line.length / MOST_CORNERS));
    // as the address will say it, so that the count is the list's
    view.line = line.filter((_corner, k) => k % every === 0).map(([x, y]) => [Number(x.toFixed(4)), Number(y.toFixed(4))]);
    if (view.line.length < 3) return clear();
    const n = points.inside(view.line);
    const sentence = (n === 1 ? words.inOne : words.inMany).replace("{n}", n.toLocaleString(document.documentElement.lang));
    found.querySelector(".map-count").textContent = n ? sentence : words.inNone;
    const open = found.querySelector("[data-open]");
    open.hidden = !n;
    const area = [points.head.projection, ...view.line.map((corner) => corner.join(","))].join(";");
    open.href = `${root.dataset.items}?area=${encodeURIComponent(area)}`;
    found.hidden = false;
    view.ask();
  }

  function clear() {
    view.line = [];
    found.hidden = true;
    view.ask();
  }

  function setLasso(on) {
    lasso = on;
    over.classList.toggle("lasso", on);
    find("[data-do=lasso]").setAttribute("aria-pressed", String(on));
    Marginalia.announce(on ? words.lassoOn : words.lassoOff);
  }

  const acts = {
    lasso: () => setLasso(!lasso),
    view: () => enclose([[0, 0], [view.width, 0], [view.width, view.height], [0, view.height]].map((corner) => view.place(...corner))),
    in: () => view.zoom(1.6),
    out: () => view.zoom(1 / 1.6),
    fit: () => view.fit(),
    clear: () => { clear(); over.focus(); },
  };
  root.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());

  // --- keys, while the map has the focus ---
  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const KEYS = { "+": acts.in, "=": acts.in, "-": acts.out, 0: acts.fit, l: acts.lasso, L: acts.lasso };

  over.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !points) return;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) view.pan(-60 * arrow[0], -60 * arrow[1]);
    else if (arrow) step(arrow);
    else if (event.key === "Enter" && chosen >= 0) location.href = root.dataset.item.replace("/0/", `/${points.ids[chosen]}/`);
    else if (event.key === "Escape" && (view.line.length || chosen >= 0)) { clear(); choose(-1); }
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function step(arrow) {
    const middle = view.place(view.width / 2, view.height / 2);
    const next = chosen < 0 ? points.nearest(...middle, 4, shown) : points.towards(chosen, ...arrow, shown);
    if (next < 0) return Marginalia.announce(words.edge);
    view.show(next);
    choose(next);
  }

  // --- begin ---
  async function begin() {
    const answer = await fetch(root.dataset.points).catch(() => null);
    const wait = find(".map-wait");
    if (!answer?.ok) {
      wait.textContent = words.failed;
      return;
    }
    points = new Marginalia.map.Points(await answer.arrayBuffer());
    view = new Marginalia.map.View(find(".map-dots"), over, points);
    legend = new Marginalia.map.Legend(find(".map-legend"), points, words, (places, palette) => view.paint(places, palette));
    Object.assign(Marginalia.map, { view, points, legend, select: choose });
    view.resize();
    view.fit();
    legend.choose(find("[name=by]:checked").value);
    wait.hidden = true;
    root.dataset.ready = "yes";
    new ResizeObserver(() => {
      if (over.clientWidth === view.width && over.clientHeight === view.height) return;
      const middle = view.place(view.width / 2, view.height / 2);
      view.resize();
      view.whole = 0.47 * Math.min(view.width, view.height);
      view.left = view.width / 2 - middle[0] * view.scale;
      view.top = view.height / 2 - middle[1] * view.scale;
      view.ask();
    }).observe(over);
    const repaint = () => legend.apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  for (const choice of root.querySelectorAll("[name=by]")) choice.addEventListener("change", () => legend?.choose(choice.value));
  begin();
})();
