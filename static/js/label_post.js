// Talking to the server: one post, its outcome in one word: html (taken), refused (a sentence), conflict (a piece that
// shows what is stored already), again (why).
"use strict";

Marginalia.label ??= {};

// what is empty is left out, a list becomes a field that comes several times
Marginalia.label.body = (fields) => {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== null && each !== undefined && each !== "") body.append(name, each);
  }
  return body;
};

Marginalia.label.Post = class {
  constructor({ page, csrf, form = "#answer" }) {
    this.page = page;
    this.csrf = csrf;
    this.form = form; // where on the page a fresh token is found
  }

  async to(url, fields, { retried = false } = {}) {
    const response = await fetch(url, {
      method: "POST",
      body: Marginalia.label.body(fields),
      headers: { "X-CSRFToken": this.csrf.value, "HX-Request": "true", Accept: "text/html, application/json" },
      credentials: "same-origin",
      redirect: "manual",
      signal: AbortSignal.timeout?.(20_000),
    });
    if (response.ok) return { html: await response.text() };
    if (response.type === "opaqueredirect" || response.status === 401) return { again: "signedOut" };
    if (response.status === 403 && !retried) {
      // a new sign-in changes the token that proves the post is ours
      const trouble = await this.refresh();
      return trouble ? { again: trouble } : this.to(url, fields, { retried: true });
    }
    if (response.status === 403) return { again: "forbidden" };
    if (response.status >= 500 || [408, 425, 429].includes(response.status)) return { again: "unreachable" };
    if (response.status === 409 && response.headers.get("Content-Type")?.startsWith("text/html")) return { conflict: await response.text() };
    return { refused: await this.sentence(response) };
  }

  async sentence(response) {
    try {
      return (await response.json()).detail;
    } catch {
      return response.status === 404 ? Marginalia.words.missing : Marginalia.words.broken;
    }
  }

  async refresh() {
    const response = await fetch(this.page, { credentials: "same-origin", redirect: "manual" });
    if (response.type === "opaqueredirect" || response.status === 401) return "signedOut";
    if (!response.ok) return "forbidden";
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // somebody else has signed in here since: what waits is not theirs to send
    const whose = (node) => node.querySelector("[data-store]")?.dataset.store;
    if (whose(page) !== whose(document)) return "signedOut";
    const fresh = page.querySelector(`${this.form} [name=csrfmiddlewaretoken]`);
    if (!fresh) return "signedOut";
    this.csrf.value = fresh.value;
    return "";
  }

  async piece(url) {
    const response = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin", redirect: "manual" });
    return response.ok ? response.text() : "";
  }
};
