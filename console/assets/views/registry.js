// The registry: names, tables of keys, groups and topics.

import { counted, pid } from "../format.js";
import { h } from "../dom.js";
import { lists } from "../parts/lists.js";
import { stateColumn } from "../parts/mark.js";
import { link } from "../router.js";

/// The most members or entries in a row.
const FEW = 8;

const LISTS = {
  names: {
    label: "Names",
    path: "/names",
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
    path: "/keys",
    key: (shown) => shown.table,
    columns: [
      { title: "Table", width: "minmax(120px, 1fr)", cell: (shown) => shown.table },
      { title: "Entries", width: "minmax(160px, 3fr)", small: "minmax(0, 1.5fr)", cell: entries },
    ],
    nothing: ["No table of keys is shown", "Registry::show_keys shows one here."],
  },
  groups: {
    label: "Groups",
    path: "/groups",
    key: (group) => group.group,
    columns: [
      { title: "Group", width: "minmax(120px, 1fr)", cell: (group) => group.group },
      { title: "Members", width: "minmax(160px, 3fr)", small: "minmax(0, 1.5fr)", cell: members },
    ],
    nothing: ["No group has members", "Actors join groups by themselves."],
  },
  topics: {
    label: "Topics",
    path: "/topics",
    key: (topic) => topic.topic,
    columns: [{ title: "Topic", width: "minmax(140px, 3fr)", cell: (topic) => topic.topic }],
    nothing: ["No topic has subscribers", "A topic is here as long as something listens to it."],
  },
};

export function mount(root, { store, parameters }) {
  const absent = "Nothing has this in it";
  return lists(root, { store, parameters, title: "Registry", absent, kinds: LISTS });
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
