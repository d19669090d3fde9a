// The help desk: carries the feedback widget under every answer, as any host product would.

const talk = document.getElementById("talk");
const form = document.getElementById("ask");

function carry() {
  for (const place of talk.querySelectorAll("[data-feedback]")) {
    const options = { ...place.dataset };
    place.removeAttribute("data-feedback");
    window.MarginaliaFeedback.mount(place, options);
  }
}

function follow() {
  carry();
  talk.lastElementChild.scrollIntoView({ block: "nearest" });
}

talk.addEventListener("marginalia:sent", (event) => {
  const complains = event.detail.up === false || event.detail.kind === "label";
  const then = event.target.closest(".said").querySelector("[data-then]");
  if (complains && then) then.hidden = false;
});

form.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful && event.detail.xhr.status !== 409) return;
  form.elements.text.value = "";
  form.elements.text.focus();
});
talk.addEventListener("htmx:afterSwap", follow);

for (const example of form.querySelectorAll("[data-example]")) {
  example.addEventListener("click", () => {
    form.elements.text.value = example.textContent;
    form.requestSubmit();
  });
}

follow();
