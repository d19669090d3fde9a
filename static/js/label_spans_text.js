// A text as people mark it: code points for the server, UTF-16 for the browser, grapheme clusters and words for the hand.
// Places are UTF-16 offsets unless a name says points. Nothing here knows the page.
"use strict";

Marginalia.label ??= {};

// what a browser without Intl.Segmenter gets: rather too long a cluster than one that is cut
Marginalia.label.Pieces = class {
  static EXTEND = "[\\p{M}\\p{Emoji_Modifier}\\u200c\\u200d\\u{e0020}-\\u{e007f}]";
  static GRAPHEMES = new RegExp([
    "\\r\\n|\\p{Cc}|(?:",
    "\\p{Regional_Indicator}{2}|", // a flag
    "[\\u1100-\\u115f\\ua960-\\ua97c]*[\\uac00-\\ud7a3\\u1160-\\u11a7\\ud7b0-\\ud7c6]+[\\u11a8-\\u11ff\\ud7cb-\\ud7fb]*|", // a syllable of Hangul
    "\\P{Cc}(?:EXTEND*(?:\\u200d\\p{Extended_Pictographic}|[\\u094d\\u09cd\\u0acd\\u0b4d\\u0c4d\\u0d4d]EXTEND*\\p{L}))*", // held by a joiner or a virama
    ")EXTEND*",
  ].join("").replaceAll("EXTEND", this.EXTEND), "gu");
  static WORDS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]\p{M}*|[\p{L}\p{N}\p{M}\p{Pc}]+(?:['’.][\p{L}\p{N}\p{M}\p{Pc}]+)*|\s+|[^]/gu;

  constructor(text, pattern) {
    this.text = text;
    this.starts = Array.from(text.matchAll(pattern), (found) => found.index);
  }

  containing(at) {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= at) low = middle + 1; else high = middle;
    }
    const index = this.starts[low - 1];
    const segment = this.text.slice(index, this.starts[low] ?? this.text.length);
    return { index, segment, isWordLike: /[\p{L}\p{N}]/u.test(segment) };
  }
};

Marginalia.label.SpanText = class {
  static segmenters = new Map();
  // viramas and their like, or a sign that stands before what it belongs to
  static HOLDS = /(?:[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0c4d\u0ccd\u0d4d\u0dca\u1039\u17d2\u1a60\u1b44\u1bab\ua8c4\ua953\ua9c0\uaaf6\uabed\u{10a3f}\u{11046}\u{110b9}\u{11133}\u{111c0}\u{11235}\u{1134d}\u{113d0}\u{11442}\u{114c2}\u{115bf}\u{1163f}\u{1193e}\u{119e0}\u{11a47}\u{11a99}\u{11c3f}\u{11d45}\u{11d97}\u{11f42}][\p{M}\u200c\u200d]*|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\u{110bd}\u{110cd}\u{111c2}\u{111c3}\u{1193f}\u{11941}\u{11a3a}\u{11a84}-\u{11a89}\u{11d46}\u{11f02}])$/u;
  static LETTER = /^\p{L}/u;
  static CONTROL = /^[\p{Cc}\p{Zl}\p{Zp}]/u;

  constructor(text, { language = "", fallback = false } = {}) {
    this.text = text;
    this.length = text.length;
    this.astral = Array.from(text.matchAll(/[\u{10000}-\u{10ffff}]/gu), (found) => found.index);
    this.graphemes = this.split("grapheme", language, fallback);
    this.words = this.split("word", language, fallback);
  }

  split(granularity, language, fallback) {
    const { Pieces, SpanText } = Marginalia.label;
    if (fallback || !Intl.Segmenter) return new Pieces(this.text, granularity === "word" ? Pieces.WORDS : Pieces.GRAPHEMES);
    const name = `${granularity} ${language}`;
    if (!SpanText.segmenters.has(name)) SpanText.segmenters.set(name, SpanText.segmenter(granularity, language));
    return SpanText.segmenters.get(name).segment(this.text);
  }

  static segmenter(granularity, language) {
    try {
      return new Intl.Segmenter(language || undefined, { granularity });
    } catch {
      return new Intl.Segmenter(undefined, { granularity }); // a language that is none
    }
  }

  // --- code points ---

  toPoints(at) {
    return at - this.pairs((index) => this.astral[index] < at);
  }

  toUnits(points) {
    return points + this.pairs((index) => this.astral[index] - index < points);
  }

  // how many surrogate pairs come before; `before` is true for the first of them and false for the rest
  pairs(before) {
    let [low, high] = [0, this.astral.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(middle)) low = middle + 1; else high = middle;
    }
    return low;
  }

  // --- grapheme clusters ---

  // a letter that nothing joins to its neighbour, which most are
  plain(at) {
    const code = this.text.charCodeAt(at);
    return (code >= 0x20 && code < 0x300) || (code >= 0x4e00 && code <= 0x9fff);
  }

  // Unicode grows: what one version of it cuts, another holds together. Where a conjunct may go on, the server's version
  // is not asked: nobody wants an end there
  held(at) {
    const { HOLDS, LETTER, CONTROL } = Marginalia.label.SpanText;
    const [held] = this.text.slice(Math.max(0, at - 8), at).match(HOLDS) || [];
    if (held === undefined) return false;
    const next = String.fromCodePoint(this.text.codePointAt(at));
    return LETTER.test(next) || (/^\P{M}/u.test(held) && !CONTROL.test(next));
  }

  edge(at) {
    if (at <= 0 || at >= this.length || (this.plain(at - 1) && this.plain(at))) return true;
    return this.graphemes.containing(at).index === at && !this.held(at);
  }

  floor(at) {
    let place = Math.max(0, Math.min(at, this.length));
    while (!this.edge(place)) {
      const { index } = this.graphemes.containing(place);
      place = index < place ? index : this.graphemes.containing(place - 1).index;
    }
    return place;
  }

  ceil(at) {
    let place = Math.max(0, Math.min(at, this.length));
    while (!this.edge(place)) {
      const { index, segment } = this.graphemes.containing(place);
      place = index + segment.length;
    }
    return place;
  }

  after(at) {
    return at >= this.length ? this.length : this.ceil(at + 1);
  }

  before(at) {
    return at <= 0 ? 0 : this.floor(at - 1);
  }

  // --- words ---

  word(at) {
    const { index, segment, isWordLike } = this.words.containing(at);
    return { start: this.floor(index), end: this.ceil(index + segment.length), wordLike: isWordLike };
  }

  // the word that the caret stands in, before or right behind
  wordAt(at) {
    for (const place of [at, at - 1]) {
      const found = place >= 0 && place < this.length ? this.word(place) : null;
      if (found?.wordLike) return found;
    }
    return null;
  }

  wordStartAfter(at) {
    let place = at >= this.length ? at : this.word(at).end;
    while (place < this.length && !this.word(place).wordLike) place = this.word(place).end;
    return place;
  }

  wordEndAfter(at) {
    let place = at;
    while (place < this.length && !this.word(place).wordLike) place = this.word(place).end;
    return place >= this.length ? this.length : this.word(place).end;
  }

  wordStartBefore(at) {
    let place = at;
    while (place > 0 && !this.word(place - 1).wordLike) place = this.word(place - 1).start;
    return place <= 0 ? 0 : this.word(place - 1).start;
  }

  wordEndBefore(at) {
    let place = at > 0 && this.word(at - 1).wordLike ? this.word(at - 1).start : at;
    while (place > 0 && !this.word(place - 1).wordLike) place = this.word(place - 1).start;
    return place;
  }

  // --- ranges ---

  // ends on whole clusters, without the blanks at either end
  tidy(from, to) {
    let [start, end] = [this.floor(Math.min(from, to)), this.ceil(Math.max(from, to))];
    const blank = (a, b) => /^\s+$/.test(this.text.slice(a, b));
    while (start < end && blank(start, this.after(start))) start = this.after(start);
    while (start < end && blank(this.before(end), end)) end = this.before(end);
    return { start, end };
  }

  slice({ start, end }) {
    return this.text.slice(start, end);
  }
};
