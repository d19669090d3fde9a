// Saved, saving, unsent; leases that live as long as somebody is at it; progress that follows.
"use strict";

Marginalia.label.status = ({ root, desk, paper, post, words, history }) => {
  const place = document.getElementById("saved");
  let told = "";
  desk.outbox.changed = ({ waiting, trouble, sending }) => {
    place.className = trouble ? "careful-text" : "quieter";
    if (!waiting) place.textContent = desk.done.length || told ? words.saved : "";
    else if (trouble) place.textContent = words.unsent.replace("{n}", waiting);
    else if (sending) place.textContent = words.saving;
    place.dataset.state = !waiting ? "saved" : trouble ? "unsent" : "saving";
    Marginalia.connection?.(trouble !== "unreachable");
    const fresh = trouble !== told;
    told = trouble;
    // a notice is an alert: it is read out by itself, and once
    if (trouble === "signedOut") notice(words.signedOut, fresh, signIn);
    else if (trouble === "forbidden") notice(Marginalia.words.forbidden, fresh);
    else if (trouble && desk.waiting) notice(words.kept, false);
    else if (trouble && fresh) Marginalia.announce(words.kept);
    else if (!trouble && fresh) { paper.tell(""); Marginalia.announce(words.saved); }
  };

  // it comes back when the next answer has cleared it away, and leaves what is told of that answer alone
  function notice(sentence, fresh, more) {
    if (fresh || paper.notice.hidden) paper.tell(sentence, ...(more ? [more()] : []));
  }

  function signIn() {
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.href = `${root.dataset.login}?next=${encodeURIComponent(root.dataset.page)}`;
    link.target = "_blank";
    link.textContent = words.signIn;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "small";
    again.textContent = words.tryAgain;
    again.addEventListener("click", () => desk.outbox.flush(true));
    line.className = "cluster";
    line.append(link, again);
    return line;
  }

  let active = performance.now();
  for (const sign of ["keydown", "pointerdown", "wheel", "touchstart"]) document.addEventListener(sign, () => { active = performance.now(); }, { passive: true });
  const every = Math.min(60, Number(root.dataset.lease) / 3) * 1000;
  setInterval(() => {
    const tokens = desk.cards.map((card) => card.token).join(",");
    if (tokens && performance.now() - active < 2 * every) post.to(root.dataset.renew, { tokens }).catch(() => {});
  }, every);

  const refresh = (id) => {
    const part = document.getElementById(id);
    if (!document.hidden && part) part.dispatchEvent(new Event(`refresh-${id}`));
  };
  let soon = 0;
  desk.saved = () => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      refresh("progress");
      if (history.box.open && history.at < 0) history.load();
    }, 1200);
  };
  setInterval(() => { refresh("progress"); if (paper.form.hidden && !document.hidden) desk.load(); }, 15_000);
};
