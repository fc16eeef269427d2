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
      const trees = await get("/shutdown", {}, { signal });
      replace(
        body,
        trees.length === 0
          ? empty(
              "Nothing is being stopped",
              "A tree or a part of it is here from the request to stop until its last child has ended.",
            )
          : trees.map(tree),
      );
    },
    { store, every: 500 },
  );
}

function tree(stop) {
  const left = stop.time_left_millis;
  return h(
    "section",
    { class: "stop" },
    h(
      "header",
      {},
      h("h2", {}, stop.tree),
      h("span", { class: "sub" }, `${counted(stop.total, "actor")} left`),
    ),
    left !== null && timeBar(stop.tree, left),
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

/// The longest time that each tree has had left, which is where its bar begins.
const limits = new Map();

/// How much of the time of a tree is over.
function timeBar(tree, left) {
  const limit = Math.max(1, left, limits.get(tree) ?? 0);
  limits.set(tree, limit);
  const bar = h("span", {});
  bar.style.width = `${100 - (100 * left) / limit}%`;
  const tone = left < 0.2 * limit ? "bad" : "info";
  return h("div", { class: "stop-bar", data: { tone }, "aria-hidden": "true" }, bar);
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
