// Talking to the server: one post, its outcome in one of three words: taken (html), refused (sentence), again (why).
"use strict";

Marginalia.label ??= {};

Marginalia.label.Post = class {
  constructor({ page, csrf, form = "#answer" }) {
    this.page = page;
    this.csrf = csrf;
    this.form = form; // where on the page a fresh token is found
  }

  async to(url, fields, { retried = false } = {}) {
    const response = await fetch(url, {
      method: "POST",
      body: new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined && value !== "")),
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
