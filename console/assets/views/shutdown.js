// A shutdown under way: what has not stopped, and the time that is left.

import { get } from "../api.js";
import { counted, duration, lastOf, words } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, heading, tag } from "../parts/small.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

const SHOWN = 200;

export function mount(root, { store }) {
  const body = h("div", { class: "page" });
  replace(root, heading("Shutdown", "What is being stopped and has not ended yet."), body);
  return new Refresher(
    async (signal) => {
      const { items } = await get("/shutdown", {}, { signal });
      replace(
        body,
        items.length === 0
          ? empty(
              "Nothing is being stopped",
              "A tree or a part of it is here from the request to stop until its last child has ended.",
            )
          : items.map(tree),
      );
    },
    { store, every: 500 },
  );
}

function tree(stop) {
  const left = stop.time_left_millis;
  const limit = longest(stop.tree, left);
  const bar = h("span", {});
  bar.style.width = `${limit ? 100 - (100 * left) / limit : 0}%`;
  return h(
    "section",
    { class: "stop" },
    h(
      "header",
      {},
      h("h2", {}, stop.tree),
      h("span", { class: "sub" }, `${counted(stop.total, "actor")} left`),
    ),
    h(
      "div",
      {
        class: "stop-bar",
        data: { tone: limit && left < 0.2 * limit ? "bad" : "info" },
        "aria-hidden": "true",
      },
      bar,
    ),
    h(
      "p",
      { class: "sub" },
      !stop.is_whole
        ? "A part of this tree is being stopped."
        : left === null
          ? "The tree has no limit."
          : `${duration(left)} until all that is left is killed.`,
    ),
    h("ul", { class: "remaining" }, stop.remaining.slice(0, SHOWN).map(child)),
    stop.total > SHOWN && h("p", { class: "sub" }, `and ${stop.total - SHOWN} more`),
  );
}

/// Returns the longest time that a tree has had left, which is where its bar begins.
const limits = new Map();
function longest(tree, left) {
  if (left === null || left === undefined) return null;
  limits.set(tree, Math.max(left, limits.get(tree) ?? 0));
  return limits.get(tree);
}

function child({ path, identity, state, time_left_millis: left, killed }) {
  return h(
    "li",
    {},
    h(
      identity ? "a" : "span",
      {
        class: "path",
        href: identity && link("actor", [identity]),
        title: path,
      },
      lastOf(path),
    ),
    killed ? tag("killed", "bad") : tag(words(state), "warn"),
    h(
      "span",
      { class: "sub" },
      left === null ? "no limit" : killed ? `abandoned in ${duration(left)}` : `killed in ${duration(left)}`,
    ),
  );
}
