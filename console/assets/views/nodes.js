// The nodes of a cluster: the connections to them, and where each name lives.

import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { h } from "../dom.js";
import { lists } from "../parts/lists.js";
import { tag } from "../parts/small.js";
import { link } from "../router.js";

/// How often a list is read, in milliseconds: no event tells of its changes.
const PERIOD = 2000;

/// A column of a number that the own node does not have.
function figure(title, cell, { width = "80px", wide = true } = {}) {
  return { title, width, wide, number: true, cell: (node) => (node.link ? cell(node.link) : "") };
}

const LISTS = {
  nodes: {
    label: "Nodes",
    path: "/nodes",
    every: PERIOD,
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
    every: PERIOD,
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
  const abort = new AbortController();
  const shown = lists(root, {
    store,
    parameters,
    title: "Nodes",
    about: "As this node sees them. A node that exposes its trees shows them.",
    absent: "Nothing has this in its name",
    kinds: LISTS,
  });
  // It is the first. The places of names link to its tree as soon as it is known.
  get("/nodes", { limit: 1 }, { signal: abort.signal }).then(
    ({ items }) => {
      if (own === items[0]?.name) return;
      own = items[0]?.name;
      shown.reload();
    },
    () => {},
  );
  return {
    stop: () => {
      abort.abort();
      shown.stop();
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
