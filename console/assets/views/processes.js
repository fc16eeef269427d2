// All actors: the longest queue, the longest handler, the most restarts first.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, filterField, heading, tabs } from "../parts/small.js";
import { setCountdown, stateOfProcess } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { link, setParameters } from "../router.js";

const ORDERS = [
  ["queue", "Queue"],
  ["oldest", "Oldest"],
  ["busy", "Busy"],
  ["restarts", "Restarts"],
  ["handled", "Handled"],
  ["name", "Name"],
];

export function mount(root, { store, parameters }) {
  const state = { sort: parameters.sort ?? "queue", q: parameters.q ?? "" };
  const list = table({
    label: "Actors",
    store,
    every: 1000,
    columns: columns(),
    fetchPage: (offset, limit, signal) => page(get("/processes", { ...state, offset, limit }, { signal })),
    key: (process) => process.identity,
    href: (process) => link("actor", [process.identity]),
    empty: () =>
      empty(
        state.q ? "No actor has this in its path or type" : "There is no actor",
        state.q ? "Another filter shows more." : "Actors are here as soon as they start.",
      ),
  });
  const change = (changes) => {
    Object.assign(state, changes);
    setParameters(state);
    list.rows.restart();
  };
  replace(
    root,
    heading(
      "Processes",
      null,
      tabs("Order", ORDERS, state.sort, (sort) => change({ sort })),
      filterField("Filter by path or type", state.q, (q) => change({ q })),
    ),
    list.element,
  );
  return list;
}

async function page(answer) {
  const { total, items } = await answer;
  return { total, items: items.map(answers.process) };
}

function columns() {
  return [
    {
      title: "Actor",
      width: "minmax(180px, 3fr)",
      cell: (process) => process.label ?? `<${process.identity}>`,
    },
    {
      title: "State",
      width: "150px",
      small: "118px",
      cell: () => null,
      mark: (cell, process) => setCountdown(markOf(cell), stateOfProcess(process), process.retry_in_millis),
    },
    {
      title: "Queue",
      width: "90px",
      small: "56px",
      number: true,
      cell: (process) => short(process.queued),
    },
    {
      title: "Oldest waits",
      width: "110px",
      wide: true,
      number: true,
      cell: (process) =>
        process.oldest_waited_millis === null ? "–" : duration(process.oldest_waited_millis),
    },
    {
      title: "Busy for",
      width: "100px",
      wide: true,
      number: true,
      cell: (process) => (process.busy_millis === null ? "–" : duration(process.busy_millis)),
    },
    {
      title: "Handled",
      width: "100px",
      wide: true,
      number: true,
      cell: (process) => short(process.handled),
    },
    {
      title: "Restarts",
      width: "90px",
      wide: true,
      number: true,
      cell: (process) => count(process.restarts),
    },
    {
      title: "Inc.",
      width: "60px",
      wide: true,
      number: true,
      cell: (process) => process.incarnation,
    },
  ];
}

function markOf(cell) {
  return cell.firstChild ?? cell.appendChild(h("span", { class: "mark" }));
}
