// All actors: the longest queue, the longest handler, the most restarts first.

import * as answers from "../answers.js";
import { count, duration, short } from "../format.js";
import { replace } from "../dom.js";
import { emptyList, filterField, heading, tabs } from "../parts/small.js";
import { stateColumn } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { link } from "../router.js";

const ORDERS = [
  ["queue", "Queue"],
  ["oldest", "Oldest"],
  ["busy", "Busy"],
  ["restarts", "Restarts"],
  ["handled", "Handled"],
  ["name", "Name"],
];

const COLUMNS = [
  {
    title: "Actor",
    width: "minmax(180px, 3fr)",
    cell: (process) => process.label ?? `<${process.identity}>`,
  },
  stateColumn({ width: "150px", small: "118px" }),
  ...[
    { title: "Queue", width: "90px", small: "56px", cell: (process) => short(process.messages.queued) },
    {
      title: "Oldest waits",
      width: "110px",
      wide: true,
      cell: (process) => duration(process.oldest_waited_millis),
    },
    { title: "Busy for", width: "100px", wide: true, cell: (process) => duration(process.busy_millis) },
    { title: "Handled", width: "100px", wide: true, cell: (process) => short(process.messages.handled) },
    { title: "Restarts", width: "90px", wide: true, cell: (process) => count(process.restarts) },
    { title: "Inc.", width: "60px", wide: true, cell: (process) => process.incarnation },
  ].map((column) => ({ ...column, number: true })),
];

export function mount(root, { store, parameters }) {
  const filter = { sort: parameters.sort ?? "queue", q: parameters.q ?? "" };
  const list = table({
    label: "Actors",
    path: "/processes",
    filter,
    item: answers.process,
    store,
    every: 1000,
    columns: COLUMNS,
    key: (process) => process.identity,
    href: (process) => link("actor", [process.identity]),
    empty: () =>
      emptyList(
        filter.q,
        "No actor has this in its path or type",
        "There is no actor",
        "Actors are here as soon as they start.",
      ),
  });
  replace(
    root,
    heading(
      "Processes",
      null,
      tabs("Order", ORDERS, filter.sort, (sort) => list.change({ sort })),
      filterField("Filter by path or type", filter.q, (q) => list.change({ q })),
    ),
    list.element,
  );
  return list;
}
