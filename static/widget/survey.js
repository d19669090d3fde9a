/* <div data-marginalia-survey="TOKEN" data-key="mk_pub_…" data-subject="…" data-language="en"></div>
   Says marginalia:survey ("shown", "sent" or "over") on the element. */
(() => {
  "use strict";
  const from = new URL((document.currentScript || {}).src || location.href).origin;
  const WORDS = {
    en: { send: "Send", thanks: "Thank you. Your answers are in.", failed: "This could not be sent. Try again.", bad: ["bad", "very good"], score: ["not at all likely", "very likely"], need: "Please answer this one." },
    zh: { send: "发送", thanks: "谢谢，您的回答已收到。", failed: "未能发送，请重试。", bad: ["很差", "很好"], score: ["完全不可能", "非常可能"], need: "请回答这个问题。" },
  };
  const make = (tag, fields, ...inside) => {
    const node = Object.assign(document.createElement(tag), fields);
    node.append(...inside);
    return node;
  };
  const fresh = () => `${Date.now()}-${Math.random()}`.replace(".", "");

  async function ask(box, method, query, body) {
    const answer = await fetch(`${box.dataset.server || from}/api/v1/surveys/${encodeURIComponent(box.dataset.marginaliaSurvey)}${query}`, {
      method,
      headers: { Authorization: `Bearer ${box.dataset.key}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
    return [answer.status, await answer.json().catch(() => ({}))];
  }

  function question(asked, words, name) {
    const field = make("fieldset", {}, make("legend", { textContent: asked.words }));
    Object.assign(field.dataset, { id: asked.id, kind: asked.kind, required: asked.required ? "yes" : "" });
    if (asked.kind === "text") {
      field.append(make("textarea", { rows: 3, maxLength: 2000, ariaLabel: asked.words }));
    } else {
      const row = make("div", { className: "marginalia-choices" });
      for (const choice of asked.choices) {
        const input = make("input", { type: asked.kind === "multiple" ? "checkbox" : "radio", name, value: choice.value });
        row.append(make("label", {}, input, " ", choice.words));
      }
      field.append(row);
      const ends = { rating: words.bad, score: words.score }[asked.kind];
      if (ends) field.append(make("small", { textContent: `${ends[0]} – ${ends[1]}` }));
    }
    field.append(make("p", { className: "marginalia-wrong", role: "alert" }));
    return field;
  }

  function given(field) {
    if (field.dataset.kind === "text") return field.querySelector("textarea").value.trim() || null;
    const chosen = [...field.querySelectorAll("input:checked")].map((input) => Number(input.value));
    if (!chosen.length) return null;
    return ["rating", "score"].includes(field.dataset.kind) ? chosen[0] : chosen;
  }

  function say(box, sentence, what) {
    box.replaceChildren(make("p", { textContent: sentence, role: "status", tabIndex: -1 }));
    if (what === "sent") box.firstChild.focus();
    box.dispatchEvent(new CustomEvent("marginalia:survey", { bubbles: true, detail: what }));
  }

  async function show(box) {
    if (box.dataset.shown) return;
    box.dataset.shown = "yes";
    const wanted = box.dataset.language || document.documentElement.lang || navigator.language || "en";
    const subject = box.dataset.subject || "";
    const query = new URLSearchParams({ language: wanted, ...(subject && { subject }) });
    const [status, survey] = await ask(box, "GET", `?${query}`).catch(() => [0, {}]);
    if (status === 409) return say(box, survey.detail, "over");
    if (status !== 200) return void (box.hidden = true);
    const words = survey.language.startsWith("zh") ? WORDS.zh : WORDS.en;
    const id = fresh();
    const form = make("form", { className: "marginalia-survey", lang: survey.language, noValidate: true });
    form.append(make("h3", { textContent: survey.title }));
    if (survey.intro) form.append(make("p", { textContent: survey.intro }));
    for (const asked of survey.questions) form.append(question(asked, words, `${id}-${asked.id}`));
    const consent = make("input", { type: "checkbox" });
    if (survey.questions.some((asked) => asked.kind === "text")) form.append(make("label", {}, consent, " ", survey.consent));
    const whole = make("p", { className: "marginalia-wrong", role: "alert" });
    const button = make("button", { type: "submit", textContent: words.send });
    form.append(whole, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const answers = {};
      let first = null;
      for (const field of form.querySelectorAll("fieldset")) {
        const value = given(field);
        const missing = value === null && field.dataset.required;
        field.querySelector(".marginalia-wrong").textContent = missing ? words.need : "";
        if (missing) first = first || field;
        if (value !== null) answers[field.dataset.id] = value;
      }
      whole.textContent = "";
      if (first) return void first.querySelector("input, textarea").focus();
      button.disabled = true;
      const body = { id, answers, consent: consent.checked, language: survey.language, ...(subject && { subject }) };
      const [code, answer] = await ask(box, "POST", "", body).catch(() => [0, {}]);
      button.disabled = false;
      if (code === 202) return say(box, words.thanks, "sent");
      if (code === 409) return say(box, answer.detail, "over");
      for (const field of form.querySelectorAll("fieldset")) {
        field.querySelector(".marginalia-wrong").textContent = (answer.fields || {})[field.dataset.id] || "";
      }
      whole.textContent = (answer.fields || { consent: answer.detail || words.failed }).consent || "";
    });
    box.replaceChildren(form);
    box.dispatchEvent(new CustomEvent("marginalia:survey", { bubbles: true, detail: "shown" }));
  }

  const all = () => document.querySelectorAll("[data-marginalia-survey]").forEach(show);
  document.addEventListener("DOMContentLoaded", all);
  all();
})();
