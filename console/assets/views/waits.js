// The wait-for graph: which actor waits for the reply of which. A cycle is a deadlock.

import { get } from "../api.js";
import { counted, duration, lastOf } from "../format.js";
import { h, replace, s } from "../dom.js";
import { empty, heading, section, verdict } from "../parts/small.js";
import { layout } from "../parts/graph.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

/// The most nodes that are drawn. The list below the graph has all.
const DRAWN = 120;

export function mount(root, { store }) {
  const body = h("div", { class: "page" });
  const title = heading(
    "Waits",
    "Calls that wait for a reply in a handler. A cycle of them is a deadlock: it ends with its timeouts.",
  );
  replace(root, title, body);
  return new Refresher(
    async (signal) => {
      const graph = await get("/waits", {}, { signal });
      if (graph.edges.length === 0)
        replace(
          body,
          empty(
            "No actor waits for another",
            "A call is here as long as a handler waits for its reply. Calls are watched from the first look here on, or always with watch_deadlocks().",
          ),
        );
      else
        replace(
          body,
          summary(graph),
          h("div", { class: "graph" }, draw(graph)),
          section("All waits", list(graph)),
        );
    },
    { store, every: 1000 },
  );
}

function summary({ cycles, edges }) {
  if (cycles.length === 0)
    return verdict(true, `${counted(edges.length, "call waits", "calls wait")}, no deadlock`);
  const actors = cycles.length === 1 ? "its actors wait" : "their actors wait";
  return verdict(false, `${counted(cycles.length, "deadlock")}: ${actors} for each other`);
}

function draw({ nodes, edges, cycles }) {
  const shown = nodes.slice(0, DRAWN);
  const places = layout(
    shown.map((node) => node.identity),
    edges,
    cycles,
  );
  const onCycle = new Set(cycles.flat());
  const inCycle = ({ from, to }) =>
    cycles.some((cycle) => cycle.includes(from) && cycle[(cycle.indexOf(from) + 1) % cycle.length] === to);
  const marker = (id) =>
    s(
      "marker",
      {
        id,
        viewBox: "0 0 10 10",
        refX: 9,
        refY: 5,
        markerWidth: 7,
        markerHeight: 7,
        orient: "auto-start-reverse",
      },
      s("path", { d: "M0 0L10 5L0 10z", class: id }),
    );
  return s(
    "svg",
    {
      viewBox: `0 0 ${places.width} ${places.height}`,
      width: places.width,
      height: places.height,
      role: "group",
      "aria-label": `Wait-for graph with ${counted(cycles.length, "cycle")}`,
    },
    s("defs", {}, marker("arrow"), marker("arrow-bad")),
    edges.map((edge) => arrow(edge, places.nodes, inCycle(edge))),
    shown.map((node) => box(node, places.nodes.get(node.identity), onCycle.has(node.identity))),
  );
}

function arrow({ from, to, waited_millis: waited }, places, bad) {
  const [a, b] = [places.get(from), places.get(to)];
  if (!a || !b) return null;
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  // From the edge of one box to that of the other.
  const cut = (dx, dy) => Math.min(74 / Math.max(1e-6, Math.abs(dx)), 19 / Math.max(1e-6, Math.abs(dy)));
  const [dx, dy] = [(b.x - a.x) / length, (b.y - a.y) / length];
  const gap = cut(dx, dy);
  // An edge bends to its right, so that one back is beside it. Its text is beyond it.
  const beside = (distance) => [(a.x + b.x) / 2 - dy * distance, (a.y + b.y) / 2 + dx * distance];
  const [mx, my] = beside(14);
  const [tx, ty] = beside(20);
  return s(
    "g",
    { class: bad ? "edge bad" : "edge" },
    s("path", {
      d: `M${a.x + dx * gap} ${a.y + dy * gap}Q${mx} ${my} ${b.x - dx * gap} ${b.y - dy * gap}`,
      "marker-end": `url(#${bad ? "arrow-bad" : "arrow"})`,
    }),
    s("text", { x: tx, y: ty + 4 }, duration(waited)),
  );
}

function box({ identity, label }, place, bad) {
  const name = lastOf(label);
  return s(
    "a",
    {
      href: link("actor", [identity]),
      class: bad ? "node bad" : "node",
      "aria-label": label,
    },
    s("title", {}, label),
    s("rect", {
      x: place.x - 72,
      y: place.y - 17,
      width: 144,
      height: 34,
      rx: 6,
    }),
    s("text", { x: place.x, y: place.y + 4 }, name.length > 19 ? `${name.slice(0, 18)}…` : name),
  );
}

function list({ nodes, edges }) {
  const labels = new Map(nodes.map((node) => [node.identity, node.label]));
  const actor = (identity) =>
    h("a", { href: link("actor", [identity]) }, labels.get(identity) ?? `<${identity}>`);
  return h(
    "ul",
    { class: "waits" },
    edges.map((edge) =>
      h(
        "li",
        {},
        actor(edge.from),
        " has waited for ",
        actor(edge.to),
        " for ",
        h("b", {}, duration(edge.waited_millis)),
      ),
    ),
  );
}
