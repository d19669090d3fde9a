/* Thumbs, a reason, thanks.
<script src="https://…/static/widget/marginalia.js" data-key="mk_pub_…" data-prediction="…"></script>, or
MarginaliaFeedback.mount(element, {key, prediction, labels, reasons, consent, subject, lang, theme}) */
(() => {
  const script = document.currentScript;
  const base = script ? script.src.replace(/static\/widget\/.*$/, "") : "/";
  const WORDS = {
    en: "Was this right?|Yes|No|Thank you.|What was wrong?|What should it have been?|In your own words|Send|Not sent.|Try again",
    zh: "这个回答对吗？|对|不对|谢谢。|哪里不对？|应该是哪一个？|用您自己的话说|发送|没有发出去。|重试",
  };
  const STYLE = `
:host{display:block;font:14px/1.5 system-ui;color:light-dark(#57534e,#b8b2a9);--a:light-dark(#2f4f9e,#a9c1f5)}
div,form{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
form{flex:1 1 14em;flex-wrap:nowrap}
section{margin-top:6px}
button,input{font:inherit;color:inherit;background:none;border:1px solid #8a847b;border-radius:6px;padding:3px 9px;min-height:32px}
button{cursor:pointer;display:flex;align-items:center;gap:6px}
button:hover,[aria-pressed=true]{color:var(--a);border-color:var(--a)}
[aria-pressed=true]{background:light-dark(#edf1fb,#26304a)}
input{flex:1;min-width:0;box-sizing:border-box}
:focus-visible{outline:2px solid var(--a);outline-offset:2px}
svg{width:16px;fill:none;stroke:currentColor;stroke-width:1.5}
.false svg{rotate:180deg}
@media(pointer:coarse){button,input{min-height:44px}}`;

  const make = (name, about, ...inside) => {
    const space = /svg|path/.test(name) ? "2000/svg" : "1999/xhtml";
    const made = document.createElementNS("http://www.w3.org/" + space, name);
    for (const key in about) made.setAttribute(key, about[key]);
    made.append(...inside);
    return made;
  };
  const list = (value) => (value?.split ? value.split("|") : value || []);
  // randomUUID needs a secure page
  const fresh = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  const consents = (o) => [true, "", "true"].includes(o.consent);

  // tried twice under one id; resolves with the receipt
  const send = async (o, event) => {
    const given = { id: fresh(), source: o.source || "widget" };
    if ("consent" in o) given.consent = consents(o);
    for (const key of ["prediction", "item", "text", "subject"]) if (o[key]) given[key] = o[key];
    if (o.version) given.version = +o.version;
    const request = {
      method: "POST",
      body: JSON.stringify({ ...given, ...event }),
      headers: { Authorization: "Bearer " + o.key },
      keepalive: true,
    };
    for (let left = 1; ; left--) {
      const answer = await fetch((o.api || base) + "api/v1/feedback", request).catch(() => 0);
      if (answer.ok) return answer.json();
      if (!left || (answer.status < 500 && answer.status !== 429)) throw answer;
      await new Promise((done) => setTimeout(done, 1500));
    }
  };

  const mount = (host, o) => {
    const lang = o.lang || host.closest("[lang]")?.lang || "en";
    const words = WORDS[/^zh/i.test(lang) ? "zh" : "en"];
    const [title, yes, no, thanks, why, should, own, go, failed, again] = words.split("|");
    const root = host.shadowRoot || host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    if (o.theme) host.style.colorScheme = o.theme;

    const status = make("span", { role: "status", tabindex: -1 });
    const more = make("section");
    const press = (act, about, ...inside) => {
      const button = make("button", { type: "button", ...about }, ...inside);
      button.onclick = () => act(button);
      return button;
    };
    const tell = async (event) => {
      event = { id: fresh(), ...event };
      status.replaceChildren(thanks);
      try {
        const detail = { ...event, ...(await send(o, event)) };
        host.dispatchEvent(new CustomEvent("marginalia:sent", { bubbles: true, detail }));
      } catch {
        status.replaceChildren(failed, " ", press(() => tell(event), {}, again));
      }
    };
    const finish = (event) => {
      more.replaceChildren();
      status.focus();
      tell(event);
    };
    const ask = () => {
      const said = { kind: "comment", up: false };
      const labels = list(o.labels);
      const question = labels.length ? should : why;
      const row = make("div", { role: "group", "aria-label": question });
      for (const label of labels) row.append(press(() => finish({ kind: "label", label }), {}, label));
      for (const reason of list(o.reasons)) row.append(press(() => finish({ ...said, reason }), {}, reason));
      if (consents(o)) {
        const input = make("input", { "aria-label": own, placeholder: own, maxlength: 2e3 });
        const form = make("form", {}, input, make("button", {}, go));
        form.onsubmit = (event) => {
          event.preventDefault();
          if (input.value.trim()) finish({ ...said, comment: input.value });
        };
        row.append(form);
      }
      if (row.firstChild) more.replaceChildren(question, row);
    };
    const thumb = (up) => {
      const path = make("path", { d: "M2 9h3v8H2zM5 10l4-8c2 0 3 1 2 3l-1 3h6c1 0 2 1 2 2l-1 5c0 1-1 2-2 2H5" });
      const icon = make("svg", { viewBox: "0 0 19 19" }, path);
      const act = (button) => {
        if (button.ariaDisabled) return;
        for (const each of thumbs) each.ariaDisabled = true;
        button.ariaPressed = true;
        if (!up) ask();
        tell({ kind: "thumb", up });
      };
      return press(act, { class: up, "aria-pressed": false }, icon, up ? yes : no);
    };
    const thumbs = [thumb(true), thumb(false)];
    root.replaceChildren(make("div", { role: "group", "aria-label": title, lang }, title, ...thumbs, status), more);
  };

  window.MarginaliaFeedback = { mount, send };
  if (script?.dataset.key) {
    const place = make("div");
    script.after(place);
    mount(place, script.dataset);
  }
})();
