// What is in trouble now, and what has just happened: beside every view on a wide screen.

import { h, reconcile, replace } from "./dom.js";
import { empty } from "./parts/small.js";
import { eventLine } from "./parts/event.js";
import { setMark, stateOf } from "./parts/mark.js";
import { sparkline } from "./parts/chart.js";
import { link } from "./router.js";

const SHOWN = 40;
/// The number of parts of a minute in the line of events.
const PARTS = 30;

/// Fills the rail and keeps it up to date.
export function rail(element, store) {
  const troubled = h("div", { class: "troubled" });
  const events = h("div", { class: "feed" });
  const pulse = h("div", { class: "pulse" });
  replace(
    element,
    h("section", { class: "rail-part" }, h("h2", {}, "In trouble"), troubled),
    h("section", { class: "rail-part grow" }, h("h2", {}, "Latest events"), pulse, events),
  );
  store.on("overview", () => showTroubled(troubled, store.overview));
  let frame = 0;
  store.on("events", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => showEvents(events, store.events));
  });
  const beat = () => {
    const counts = perPart(store.events, Date.now());
    replace(
      pulse,
      sparkline(counts, {
        text: "Events of the last minute",
        width: 300,
        height: 28,
      }),
    );
  };
  beat();
  setInterval(beat, 2000);
}

/// Shows the nodes that are in trouble, `most` at most. The reasons of a health check are shown if no
/// node explains them: that of a program may have others.
export function showTroubled(element, { troubled, health }, most = troubled.length) {
  const nodes = troubled.slice(0, most);
  if (nodes.length === 0) {
    const reasons = health.reasons.map((text) => h("p", { class: "verdict", data: { tone: "warn" } }, text));
    replace(
      element,
      reasons.length > 0 ? reasons : empty("All is up", "No child is down, restarting or giving up."),
    );
    return;
  }
  reconcile(element, nodes, {
    key: (node) => node.path,
    create: (node) =>
      h(
        "a",
        { class: "trouble", href: link("actor", [node.identity]) },
        h("span", { class: "mark" }),
        h("span", { class: "path", title: node.path }, node.path),
      ),
    update: (entry, node) => setMark(entry.firstChild, stateOf(node), node.retry_in_millis),
  });
}

function showEvents(element, events) {
  reconcile(element, events.slice(-SHOWN).reverse(), {
    key: (event) => event.sequence,
    create: (event) => eventLine(event),
  });
}

/// Counts the events of each part of the last minute.
function perPart(events, now) {
  const counts = new Array(PARTS).fill(0);
  const size = 60_000 / PARTS;
  for (let at = events.length - 1; at >= 0; at -= 1) {
    const part = PARTS - 1 - Math.floor((now - events[at].at_millis) / size);
    if (part < 0) break;
    counts[Math.min(PARTS - 1, part)] += 1;
  }
  return counts;
}
