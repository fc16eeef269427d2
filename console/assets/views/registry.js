// The registry: names, groups and topics.

import { get } from "../api.js";
import { counted, pid, words } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, filterField, heading, tabs } from "../parts/small.js";
import { stateOfProcess, setMark } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { link, setParameters } from "../router.js";

const KINDS = [
  ["names", "Names"],
  ["groups", "Groups"],
  ["topics", "Topics"],
];

export function mount(root, { store, parameters }) {
  const state = { kind: parameters.kind ?? "names", q: parameters.q ?? "" };
  const body = h("div", { class: "fill" });
  let list = null;
  const show = () => {
    list?.stop();
    list = TABLES[state.kind](store, state);
    replace(body, list.element);
  };
  const change = (changes) => {
    const other = changes.kind !== undefined;
    Object.assign(state, changes);
    setParameters(state);
    if (other) show();
    else list.rows.restart();
  };
  replace(
    root,
    heading(
      "Registry",
      null,
      tabs("Kind", KINDS, state.kind, (kind) => change({ kind })),
      filterField("Filter", state.q, (q) => change({ q })),
    ),
    body,
  );
  show();
  return { stop: () => list.stop() };
}

const TABLES = {
  names: (store, state) =>
    list(store, "names", state, {
      key: (name) => name.name,
      href: (name) => link("actor", [name.identity]),
      columns: [
        {
          title: "Name",
          width: "minmax(140px, 2fr)",
          cell: (name) => name.name,
        },
        {
          title: "State",
          width: "120px",
          cell: () => null,
          mark: (cell, name) =>
            setMark(cell.firstChild ?? cell.appendChild(h("span", { class: "mark" })), stateOfProcess(name)),
        },
        {
          title: "Actor",
          width: "minmax(140px, 2fr)",
          wide: true,
          cell: (name) => name.label ?? "",
        },
        {
          title: "Identity",
          width: "90px",
          wide: true,
          number: true,
          cell: (name) => name.identity,
        },
        {
          title: "Incarnation",
          width: "110px",
          small: "90px",
          number: true,
          cell: (name) => name.incarnation,
        },
      ],
      nothing: ["No name is bound", "A name leads to its actor through every restart."],
    }),
  groups: (store, state) =>
    list(store, "groups", state, {
      key: (group) => group.group,
      columns: [
        {
          title: "Group",
          width: "minmax(120px, 1fr)",
          cell: (group) => group.group,
        },
        { title: "Members", width: "minmax(160px, 3fr)", cell: members },
      ],
      nothing: ["No group has members", "Actors join groups by themselves."],
    }),
  topics: (store, state) =>
    list(store, "topics", state, {
      key: (topic) => topic.topic,
      columns: [
        {
          title: "Topic",
          width: "minmax(140px, 3fr)",
          cell: (topic) => topic.topic,
        },
      ],
      nothing: ["No topic has subscribers", "A topic is here as long as something listens to it."],
    }),
};

function list(store, path, state, { columns, key, href, nothing }) {
  return table({
    label: words(path),
    store,
    columns,
    key,
    href,
    fetchPage: (offset, limit, signal) => get(`/${path}`, { q: state.q, offset, limit }, { signal }),
    empty: () =>
      state.q ? empty("Nothing has this in it", "Another filter shows more.") : empty(...nothing),
  });
}

function members({ members: list, size }) {
  const shown = list
    .slice(0, 8)
    .map(({ pid: id, label }) =>
      h("a", { href: link("actor", [id.identity]), title: label }, label ?? pid(id)),
    );
  return h(
    "span",
    { class: "members" },
    h("b", {}, counted(size, "member")),
    shown,
    size > 8 && `and ${size - 8} more`,
  );
}
