// The keys of the page: one map, which `?` shows.

import { h } from "../dom.js";
import { dialog } from "./dialog.js";

const keys = new Map();
let prefix = null;

/// Registers a key, or two that are pressed one after the other, such as `g t`.
export function bind(key, text, run) {
  keys.set(key, { text, run });
}

/// Handles the keys of the page, except where text is typed.
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = prefix ? `${prefix} ${event.key}` : event.key;
    prefix = !prefix && event.key === "g" ? "g" : null;
    const known = keys.get(key);
    if (!known) return;
    event.preventDefault();
    known.run();
  });
}

function isTyping(target) {
  return target.matches?.("input:not([type=range]), select");
}

/// Shows all keys.
export function showKeys() {
  const rows = [...keys].map(([key, { text }]) =>
    h(
      "div",
      { class: "key-row" },
      h(
        "dt",
        {},
        key.split(" ").map((each) => h("kbd", {}, each)),
      ),
      h("dd", {}, text),
    ),
  );
  return dialog({
    title: "Keys",
    body: h("dl", { class: "keys" }, rows),
    buttons: [["", "Close"]],
  });
}
