// The upload box: a dropped file, a word before two gigabytes travel in vain, and progress. The form works without.
"use strict";

(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const button = form.querySelector("button");
  const say = (sentence) => window.Marginalia.toast(sentence, "bad");
  form.querySelector("[data-drop-hint]").hidden = false;

  function fits() {
    const file = input.files[0];
    const ok = !file || file.size <= Number(form.dataset.most);
    input.setAttribute("aria-invalid", ok ? "false" : "true");
    if (!ok) say(form.dataset.tooLarge);
    return ok;
  }

  input.addEventListener("change", fits);

  for (const kind of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("dropping", kind === "dragover");
    });
  }
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    if (fits()) form.requestSubmit();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!fits() || !input.files.length) return;
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (at) => {
      bar.hidden = false;
      if (at.lengthComputable) bar.value = (100 * at.loaded) / at.total;
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        window.location.assign(request.responseURL);
        return;
      }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      const error = ["#upload .error", ".callout.bad", "main p"].map((at) => answer.querySelector(at)).find(Boolean);
      again(error ? error.textContent.trim() : form.dataset.lost);
    });
    request.addEventListener("error", () => again(form.dataset.lost));
    request.open("POST", form.action);
    request.send(new FormData(form));
    button.textContent = `${form.dataset.sending} …`;
  });

  const words = button.textContent;
  function again(sentence) {
    button.textContent = words;
    button.disabled = false;
    bar.hidden = true;
    bar.value = 0;
    say(sentence);
  }
})();
