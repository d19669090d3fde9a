// In the table of keys a press is the answer: no typing of names such as "Enter".
"use strict";

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input[data-key]");
  if (!field || event.isComposing || event.keyCode === 229) return; // an input method is at work: its letter comes by itself
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
  if (["Tab", "Escape", "Shift", "Backspace", "Delete", "CapsLock", "NumLock", "AltGraph", "Dead", "Unidentified"].includes(event.key) || event.key.startsWith("Arrow")) return;
  event.preventDefault();
  field.value = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  field.select();
});
