// The registry: names, tables of keys, groups and topics.

import { counted, pid } from "../format.js";
import { h, replace } from "../dom.js";
import { emptyList, filterField, heading, tabs } from "../parts/small.js";
import { stateColumn } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { link, setParameters } from "../router.js";

/// The most members or entries in a row.
const FEW = 8;

const LISTS = {
  names: {
    label: "Names",
    key: (name) => name.name,
    href: (name) => link("actor", [name.identity]),
    columns: [
      { title: "Name", width: "minmax(140px, 2fr)", cell: (name) => name.name },
      stateColumn({ width: "120px" }),
      { title: "Actor", width: "minmax(140px, 2fr)", wide: true, cell: (name) => name.label },
      { title: "Identity", width: "90px", wide: true, number: true, cell: (name) => name.identity },
      {
        title: "Incarnation",
        width: "110px",
        small: "90px",
        number: true,
        cell: (name) => name.incarnation,
      },
    ],
    nothing: ["No name is bound", "A name leads to its actor through every restart."],
  },
  keys: {
    label: "Keys",
    key: (shown) => shown.table,
    columns: [
      { title: "Table", width: "minmax(120px, 1fr)", cell: (shown) => shown.table },
      { title: "Entries", width: "minmax(160px, 3fr)", small: "minmax(0, 1.5fr)", cell: entries },
    ],
    nothing: ["No table of keys is shown", "Registry::show_keys shows one here."],
  },
  groups: {
    label: "Groups",
    key: (group) => group.group,
    columns: [
      { title: "Group", width: "minmax(120px, 1fr)", cell: (group) => group.group },
      { title: "Members", width: "minmax(160px, 3fr)", small: "minmax(0, 1.5fr)", cell: members },
    ],
    nothing: ["No group has members", "Actors join groups by themselves."],
  },
  topics: {
    label: "Topics",
    key: (topic) => topic.topic,
    columns: [{ title: "Topic", width: "minmax(140px, 3fr)", cell: (topic) => topic.topic }],
    nothing: ["No topic has subscribers", "A topic is here as long as something listens to it."],
  },
};

export function mount(root, { store, parameters }) {
  const filter = { q: parameters.q ?? "" };
  const body = h("div", { class: "fill" });
  let list = null;
  const show = (kind) => {
    list?.stop();
    const { nothing, ...rest } = LISTS[kind];
    const empty = () => emptyList(filter.q, "Nothing has this in it", ...nothing);
    list = table({ path: `/${kind}`, filter, store, empty, ...rest });
    replace(body, list.element);
  };
  const kind = parameters.kind ?? "names";
  const kinds = Object.entries(LISTS).map(([each, { label }]) => [each, label]);
  replace(
    root,
    heading(
      "Registry",
      null,
      tabs("Kind", kinds, kind, (chosen) => {
        setParameters({ kind: chosen });
        show(chosen);
      }),
      filterField("Filter", filter.q, (q) => list.change({ q })),
    ),
    body,
  );
  show(kind);
  return { stop: () => list.stop() };
}

function entries({ entries: list, keys }) {
  const shown = list.slice(0, FEW).map(({ key, pid: id, label }) => actor(id, key, label ?? pid(id)));
  const has_more = list.length > FEW || keys > list.length;
  return row(counted(keys, "key"), shown, has_more && "and more");
}

function members({ members: list, size }) {
  const shown = list.slice(0, FEW).map(({ pid: id, label }) => actor(id, label ?? pid(id), label));
  return row(counted(size, "member"), shown, size > FEW && `and ${size - FEW} more`);
}

/// A link to an actor.
function actor(id, text, title) {
  return h("a", { href: link("actor", [id.identity]), title }, text);
}

function row(number, shown, more) {
  return h("span", { class: "members" }, h("b", {}, number), shown, more && h("span", {}, more));
}
