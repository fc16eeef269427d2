// The navigation: a column, or a bar at the lower edge of a small screen.

import { short } from "./format.js";
import { h, replace, s, setAttribute, setText } from "./dom.js";
import { deadLetters } from "./header.js";
import { link, parse } from "./router.js";
import { PARENTS, VIEWS } from "./views.js";

/// The counts beside entries.
const COUNTS = {
  crashes: [(o) => o.crashes, "bad"],
  "dead-letters": [deadLetters, "warn"],
  waits: [(o) => o.deadlocks.length, "bad"],
};

/// The number of views in the bar of a small screen. The others are behind its last entry.
const IN_BAR = 4;

/// Fills the navigation and keeps it up to date.
export function nav(element, store) {
  const entries = VIEWS.map((view) => {
    const badge = h("span", { class: "badge", hidden: true });
    return {
      view,
      badge,
      entry: h(
        "a",
        { class: "nav-entry", href: link(view.name) },
        icon(view.icon),
        h("span", { class: "nav-text" }, view.title),
        badge,
      ),
    };
  });
  const more = h(
    "button",
    {
      type: "button",
      class: "nav-entry more",
      "aria-expanded": "false",
      on: { click: () => open(!element.classList.contains("open")) },
    },
    icon("M4 10h.01M10 10h.01M16 10h.01"),
    h("span", { class: "nav-text" }, "More"),
  );
  const open = (wanted) => {
    element.classList.toggle("open", wanted);
    more.setAttribute("aria-expanded", String(wanted));
  };
  replace(
    element,
    entries.map(({ entry }) => entry),
    more,
  );
  const current = () => {
    const { view } = parse(location.hash);
    const at = VIEWS.findIndex(({ name }) => name === (PARENTS[view] ?? view));
    entries.forEach(({ entry }, index) => setAttribute(entry, "aria-current", index === at ? "page" : null));
    more.classList.toggle("current", at >= IN_BAR);
    open(false);
  };
  addEventListener("hashchange", current);
  current();
  store.on("overview", () => {
    for (const { view, badge } of entries) {
      const [number, tone] = COUNTS[view.name] ?? [() => 0];
      const value = number(store.overview);
      badge.hidden = value === 0;
      setText(badge, short(value));
      setAttribute(badge, "data-tone", tone);
    }
  });
}

function icon(d) {
  return s("svg", { viewBox: "0 0 20 20", class: "nav-icon", "aria-hidden": "true" }, s("path", { d }));
}
