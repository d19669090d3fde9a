// Behaviour every page shares: toasts, announcements, focus after a swap, menus, errors in words.
"use strict";

window.Marginalia = (() => {
  const node = document.getElementById("frame-data");
  const data = node ? JSON.parse(node.textContent) : {};
  const words = data.words || {};

  function announce(sentence) {
    const region = document.getElementById("announce");
    if (!region || !sentence) return;
    region.textContent = "";
    // an unchanged text is not read again; the gap makes it a change
    setTimeout(() => { region.textContent = sentence; }, 30);
  }

  function toast(sentence, kind = "") {
    const box = document.createElement("div");
    box.className = `toast ${kind}`.trim();
    const text = document.createElement("p");
    text.textContent = sentence;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "quiet small";
    close.dataset.dismiss = "";
    close.textContent = words.close || "Close";
    box.append(text, close);
    document.getElementById("toasts").append(box);
    settle(box);
  }

  const refuses = (box) => box.matches(".bad, .error");
  const said = (box) => box.querySelector("p")?.textContent;

  // a good word goes by itself; a refusal stays until it is read, and stands there once however often it is said
  function settle(box) {
    if (box.dataset.settled) return;
    box.dataset.settled = "yes";
    announce(said(box));
    for (const other of refuses(box) ? document.querySelectorAll("#toasts .bad, #toasts .error") : []) {
      if (other !== box && said(other) === said(box)) other.remove();
    }
    const last = document.querySelectorAll("#toasts .toast");
    if (last.length > 4) last[0].remove();
    if (!refuses(box)) setTimeout(() => box.remove(), 6000);
  }

  function connection(up) {
    const place = document.getElementById("connection");
    if (!place) return;
    place.textContent = up ? words.connected : words.offlineShort;
    place.classList.toggle("bad-text", !up);
  }

  function sentenceFor(status) {
    if (status === 401) return words.signedOut;
    if (status === 403) return words.forbidden;
    if (status === 404) return words.missing;
    if (status === 429) return words.slowDown;
    return words.broken;
  }

  document.addEventListener("click", (event) => {
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".toast")?.remove();
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = document.getElementById(copy.dataset.copy);
      navigator.clipboard?.writeText(from.textContent.trim()).then(() => announce(copy.dataset.done || ""));
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // forms that change something for good ask once, in their own words
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    for (const wait of event.target.querySelectorAll("[data-once]")) setTimeout(() => { wait.disabled = true; });
  }, true);

  // a choice that takes effect at once: <select data-submit> with a button for those without scripts
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form?.requestSubmit();
  });
  for (const spare of document.querySelectorAll("[data-without-script]")) spare.hidden = true;

  document.addEventListener("htmx:beforeRequest", (event) => event.detail.target?.setAttribute("aria-busy", "true"));
  document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
  document.addEventListener("htmx:afterOnLoad", () => connection(true));
  document.addEventListener("htmx:sendError", () => { connection(false); toast(words.offline, "bad"); });
  document.addEventListener("htmx:responseError", (event) => toast(sentenceFor(event.detail.xhr.status), "bad"));

  // what was unfolded stays so when its piece of the page comes anew
  let unfolded = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    unfolded = [...(event.detail.target?.querySelectorAll("details[id][open]:not(.menu)") ?? [])].map((box) => box.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    unfolded = [];
  });

  // htmx keeps the focus when an element with the same id comes back; where none does, [data-focus] takes it
  document.addEventListener("htmx:afterSettle", (event) => {
    for (const box of document.querySelectorAll("#toasts .toast")) settle(box);
    for (const spare of document.querySelectorAll("[data-without-script]")) spare.hidden = true;
    const invalid = event.detail.elt?.querySelector?.("[aria-invalid=true]");
    if (invalid) { invalid.focus(); return; }
    if (document.activeElement && document.activeElement !== document.body) return;
    (event.detail.elt?.matches?.("[data-focus]") ? event.detail.elt : event.detail.elt?.querySelector?.("[data-focus]"))?.focus();
  });
  // answers may carry HX-Trigger: {"announce": "Saved. 42 left."} or {"toast": "…"}
  document.addEventListener("announce", (event) => announce(event.detail.value));
  document.addEventListener("toast", (event) => toast(event.detail.value, event.detail.kind || ""));
  window.addEventListener("offline", () => connection(false));
  window.addEventListener("online", () => connection(true));
  for (const box of document.querySelectorAll("#toasts .toast")) settle(box);
  document.querySelector("main [aria-invalid=true]")?.focus();

  return { data, words, announce, toast, connection };
})();
