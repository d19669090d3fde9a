// Which key does what on this page.
//   Marginalia.keys.register({action: "skip", label: "Skip", run: (event) => …})   key from the person's keymap
//   Marginalia.keys.register({action: "label-3", key: "3", label: "card arrival", run})  a key of its own
// register() returns a function that takes the binding away; the same action registered again replaces it.
// hidden: true keeps a binding out of the help and the palette, repeats: true lets it run on while the key is held.
// run may return false to let the browser act.
"use strict";

Marginalia.keys = (() => {
  const keymap = Marginalia.data.keymap || {};
  const singles = Marginalia.data.singleKeys !== false;
  const bindings = new Map();

  const editable = "input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit]), textarea, select, [contenteditable]:not([contenteditable=false])";
  const operable = "button, a[href], summary, input, select, textarea, [role=button]";

  function busyTyping(event) {
    if (event.isComposing || event.keyCode === 229) return true;
    return Boolean(event.target.closest?.(editable)) || Boolean(document.querySelector("dialog[open]"));
  }

  function nameOf(event) {
    return event.key.length === 1 ? event.key.toLowerCase() : event.key;
  }

  function shown(key) {
    return key.length === 1 ? key.toUpperCase() : key;
  }

  function register({ action, key, label, run, hidden = false, repeats = ["next", "previous"].includes(action) }) {
    const binding = { action, key: key ?? keymap[action] ?? "", label, run, hidden, repeats };
    bindings.set(action, binding);
    return () => { if (bindings.get(action) === binding) bindings.delete(action); };
  }

  function find(key) {
    let found = null;
    for (const binding of bindings.values()) if (binding.key && binding.key.toLowerCase() === key.toLowerCase()) found = binding;
    return found;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || busyTyping(event)) return;
    // Ctrl+Z undoes too, for hands that know it
    const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "z";
    // AltGr, which [ and ] take on many keyboards, says Ctrl and Alt on some systems
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
    const key = nameOf(event);
    if (!undo && key.length === 1 && !singles) return;
    if ((key === "Enter" || key === " ") && event.target.closest?.(operable)) return;
    const binding = undo ? bindings.get("undo") : find(key);
    if (!binding || (event.repeat && !binding.repeats)) return;
    if (binding.run(event) !== false) event.preventDefault();
  });

  function help() {
    let dialog = document.getElementById("keys-help");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.id = "keys-help";
      dialog.setAttribute("aria-labelledby", "keys-help-title");
      document.body.append(dialog);
    }
    dialog.replaceChildren();
    const title = document.createElement("h2");
    title.id = "keys-help-title";
    title.textContent = Marginalia.words.keysHere;
    const list = document.createElement("dl");
    list.className = "facts";
    for (const binding of bindings.values()) {
      if (binding.hidden || !binding.key) continue;
      const term = document.createElement("dt");
      const cap = document.createElement("kbd");
      cap.textContent = shown(binding.key);
      term.append(cap);
      const what = document.createElement("dd");
      what.textContent = binding.label;
      list.append(term, what);
    }
    const close = document.createElement("button");
    close.textContent = Marginalia.words.close;
    close.autofocus = true;
    const form = document.createElement("form");
    form.method = "dialog";
    form.append(close);
    const parts = [title, list, form];
    if (!singles) {
      const off = document.createElement("p");
      off.className = "muted";
      off.textContent = Marginalia.words.noKeys;
      parts.splice(1, 0, off);
    }
    for (const part of parts) part.classList.add("spaced");
    dialog.append(...parts);
    dialog.showModal();
  }

  register({ action: "help", label: Marginalia.words.keysHere, run: help });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-keys-help]")) help(); });

  return { register, help, shown, all: () => [...bindings.values()], keyOf: (action) => bindings.get(action)?.key ?? keymap[action] ?? "" };
})();
