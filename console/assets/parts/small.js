// Small parts that many views have.

import { ANY_NUMBER, count, duration, reasonKind, restartsLeft } from "../format.js";
import { h, setText } from "../dom.js";

/// A word in a box. The tone is one of ok, info, warn, bad, violet, muted.
export function tag(text, tone = "muted") {
  return h("span", { class: "tag", data: { tone } }, text);
}

/// Says whether something is right, with a shape before the text.
export function verdict(right, text) {
  return h("p", { class: "verdict", data: { tone: right ? "ok" : "bad" } }, right ? "✓ " : "✕ ", text);
}

/// The restarts that a supervisor tolerates at the moment, as boxes that are full or empty.
export function budget(left) {
  const text = restartsLeft(left);
  if (text === null) return null;
  const tone = left === 0 ? "bad" : left === 1 ? "warn" : "muted";
  const shown = left === ANY_NUMBER ? "∞" : count(left);
  return h(
    "span",
    { class: "budget", data: { tone }, title: text },
    h("b", {}, shown),
    h("span", {}, " left"),
  );
}

/// What one can do where nothing is.
export function empty(title, text) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text));
}

/// What one can do where a filter lets nothing through, or where nothing is.
export function emptyList(isFiltered, filtered, title, text) {
  return isFiltered ? empty(filtered, "Another filter shows more.") : empty(title, text);
}

/// A list of names and values. Values that are `null` are left out.
export function facts(entries) {
  const shown = entries.filter(([, value]) => value !== null && value !== false);
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/// A part of a page with a heading.
export function section(title, content, { aside } = {}) {
  return h(
    "section",
    { class: "section" },
    h("div", { class: "section-head" }, h("h2", {}, title), aside),
    content,
  );
}

/// The heading of a view.
export function heading(title, text, ...aside) {
  return h(
    "div",
    { class: "heading" },
    h("div", {}, h("h1", {}, title), text && h("p", { class: "sub" }, text)),
    h("div", { class: "heading-aside" }, aside),
  );
}

/// A button.
export function button(text, run, { tone = "", title, small } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: small ? "button small" : "button",
      data: { tone },
      title,
      on: { click: run },
    },
    text,
  );
}

/// A field that filters a list. `changed` is called with its text when the typing pauses.
export function filterField(label, value, changed) {
  let timer = null;
  const input = h("input", {
    type: "search",
    placeholder: label,
    "aria-label": label,
    value,
    on: {
      input: () => {
        clearTimeout(timer);
        timer = setTimeout(() => changed(input.value.trim()), 200);
      },
    },
  });
  return input;
}

/// A choice of one of several. `choices` are `[value, text]`.
export function choice(label, choices, value, changed) {
  const select = h(
    "select",
    { "aria-label": label, on: { change: () => changed(select.value) } },
    choices.map(([id, text]) => h("option", { value: id, selected: id === value }, text)),
  );
  return select;
}

/// A switch between few views of one thing.
export function tabs(label, choices, value, changed) {
  const buttons = choices.map(([id, text]) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(id === value),
        data: { id },
        on: { click: () => select(id) },
      },
      text,
    ),
  );
  const select = (id) => {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset.id === id));
    changed(id);
  };
  return h("div", { class: "tabs", role: "group", "aria-label": label }, buttons);
}

/// An exit reason with its sources and the place of its panic.
export function reason(value) {
  return h(
    "div",
    { class: "reason" },
    h(
      "p",
      { class: "reason-line" },
      tag(reasonKind(value), TONES[value.kind] ?? "bad"),
      value.message && h("span", { class: "reason-text" }, value.message),
    ),
    value.sources.length > 0 &&
      h(
        "ol",
        { class: "sources" },
        value.sources.map((source) => h("li", {}, h("span", { class: "because" }, "because "), source)),
      ),
    value.location && h("p", { class: "place" }, "at ", h("code", {}, value.location)),
  );
}

const TONES = {
  normal: "ok",
  shutdown: "muted",
  ignore: "muted",
  killed: "warn",
  unresponsive: "warn",
};

/// A busy time, with the tone of one that is long.
export function busy(value) {
  if (value === null) return h("span", { class: "none" }, "idle");
  return h("span", { data: { tone: busyTone(value) } }, duration(value));
}

/// The tone of a busy time.
export function busyTone(value) {
  return value > 5000 ? "bad" : value > 1000 ? "warn" : "";
}

/// A number that says by a short motion that it changed.
export function setFigure(element, text) {
  if (element.textContent === String(text)) return;
  const first = element.textContent === "";
  setText(element, text);
  if (!first)
    element.animate(
      [{ backgroundColor: "var(--flash)" }, { backgroundColor: "transparent" }],
      matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 900,
    );
}
