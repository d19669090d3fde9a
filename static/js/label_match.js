// Finding a label by a few letters: word starts first, then initials, then letters in order.
"use strict";

Marginalia.label = { kinds: {} };

// a suggestion's labels with their probabilities, likeliest first
Marginalia.label.pairs = (suggestion) => (suggestion?.labels || []).map((id, at) => [id, suggestion.probabilities[at]]);

Marginalia.label.match = (() => {
  const gaps = /[\s_\-./,;:·、，。]+/u;

  function fold(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  }

  function inOrder(name, part) {
    let at = 0;
    for (const letter of name) if (letter === part[at]) at += 1;
    return at === part.length;
  }

  function worth(name, words, part) {
    if (words.some((word) => word.startsWith(part))) return 4;
    if (part.length > 1 && words.map((word) => word[0]).join("").startsWith(part)) return 3;
    if (name.includes(part)) return 2;
    return part.length > 1 && inOrder(name, part) ? 1 : 0;
  }

  // 0: no match. Every part typed has to be found.
  function score(text, wanted) {
    const name = fold(text);
    const words = name.split(gaps).filter(Boolean);
    const parts = fold(wanted).split(gaps).filter(Boolean);
    const found = parts.map((part) => worth(name, words, part));
    if (found.some((each) => each === 0)) return 0;
    return 1 + found.reduce((sum, each) => sum + each, 0) + (name.startsWith(parts.join(" ")) ? 0.5 : 0);
  }

  // a label is found by its own name and, a little later, by its group's
  function best(label, wanted) {
    return score(label.name, wanted) || (label.group ? 0.5 * score(`${label.group} ${label.name}`, wanted) : 0);
  }

  // labels with a probability, best match first; equal matches in the order of likelihood, then of the project
  function sorted(labels, wanted, likelihood) {
    const rated = labels.map((label, place) => ({ label, place, score: best(label, wanted), p: likelihood.get(label.id) || 0 }));
    return rated.filter((each) => each.score > 0)
      .sort((a, b) => b.score - a.score || b.p - a.p || a.place - b.place)
      .map((each) => each.label);
  }

  return { score, sorted };
})();
