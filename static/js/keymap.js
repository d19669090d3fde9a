// In the table of keys a press is the answer: no typing of names such as "Enter".
"use strict";

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input[data-key]");
  if (!field || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (["Tab", "Escape", "Shift", "Backspace", "Delete"].includes(event.key) || event.key.startsWith("Arrow")) return;
  event.preventDefault();
  field.value = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  field.select();
});
