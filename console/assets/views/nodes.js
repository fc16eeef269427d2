// The nodes of a cluster: the connections to them, and where each name lives.

import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { h, replace } from "../dom.js";
import { emptyList, filterField, heading, tabs, tag } from "../parts/small.js";
import { table } from "../parts/table.js";
import { link, setParameters } from "../router.js";

/// A column of a number that the own node does not have.
function figure(title, cell, { width = "80px", wide = true } = {}) {
  return { title, width, wide, number: true, cell: (node) => (node.link ? cell(node.link) : "") };
}

const LISTS = {
  nodes: {
    label: "Nodes",
    path: "/nodes",
    key: (node) => node.name,
    href: treeOf,
    columns: [
      { title: "Node", width: "minmax(120px, 2fr)", cell: (node) => node.name },
      { title: "State", width: "120px", cell: state },
      figure("Round trip", (to) => duration(to.round_trip), { width: "100px", wide: false }),
      figure("Window", share),
      figure("Lost", lost),
      figure("Sent", (to) => short(to.sent)),
      figure("Received", (to) => short(to.received)),
      figure("Waiting", (to) => short(to.pending)),
      figure("Names", (to) => short(to.names)),
    ],
    nothing: ["No nodes are shown", "A program shows its cluster by Console::nodes."],
  },
  names: {
    label: "Names",
    path: "/nodes/names",
    key: (name) => name.name,
    columns: [
      { title: "Name", width: "minmax(140px, 1fr)", cell: (name) => name.name },
      { title: "Nodes", width: "minmax(160px, 3fr)", small: "minmax(0, 1.5fr)", cell: places },
    ],
    nothing: ["No node has a name", "The exposed actors of all nodes are here by their names."],
  },
};

/// The name of the own node, once it is known.
let own = null;

export function mount(root, { store, parameters }) {
  const filter = { q: parameters.q ?? "" };
  const body = h("div", { class: "fill" });
  const abort = new AbortController();
  let list = null;
  let shown = null;
  const show = (kind) => {
    list?.stop();
    shown = kind;
    const { nothing, ...rest } = LISTS[kind] ?? LISTS.nodes;
    const empty = () => emptyList(filter.q, "Nothing has this in its name", ...nothing);
    list = table({ filter, store, empty, every: 2000, ...rest });
    replace(body, list.element);
  };
  const kind = parameters.kind ?? "nodes";
  const kinds = Object.entries(LISTS).map(([each, { label }]) => [each, label]);
  replace(
    root,
    heading(
      "Nodes",
      "As this node sees them. A node that exposes its trees shows them.",
      tabs("Kind", kinds, kind, (chosen) => {
        setParameters({ kind: chosen });
        show(chosen);
      }),
      filterField("Filter", filter.q, (q) => list.change({ q })),
    ),
    body,
  );
  show(kind);
  // It is the first. The places of names link to its tree as soon as it is known.
  get("/nodes", { limit: 1 }, { signal: abort.signal }).then(
    ({ items }) => {
      if (own === items[0]?.name) return;
      own = items[0]?.name;
      if (shown === "names") show("names");
    },
    () => {},
  );
  return {
    stop: () => {
      abort.abort();
      list.stop();
    },
  };
}

/// The address of the trees of a node. Those of this one are the view without a node.
function treeOf(node) {
  return link("tree", [], node.link ? { node: node.name } : {});
}

function state(node) {
  if (node.is_up) return tag(node.link ? "connected" : "this node", "ok");
  return tag(node.link ? "not connected" : "not running", "bad");
}

/// How much of the window is used.
function share({ window, window_used: used }) {
  if (window === 0) return "";
  const tone = used >= window ? "bad" : used * 2 > window ? "warn" : "";
  return h(
    "span",
    { data: { tone }, title: `${count(used)} of ${count(window)} bytes` },
    `${Math.round((100 * used) / window)} %`,
  );
}

function lost({ lost: packets }) {
  return h("span", { data: { tone: packets > 0 ? "warn" : "" } }, short(packets));
}

function places({ nodes }) {
  return h(
    "span",
    { class: "members" },
    nodes.map((node) => h("a", { href: link("tree", [], node === own ? {} : { node }) }, node)),
  );
}
