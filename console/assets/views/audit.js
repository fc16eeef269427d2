// The actions that were tried by the console, refused ones too.

import * as answers from "../answers.js";
import { moment, words } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, heading } from "../parts/small.js";
import { table } from "../parts/table.js";

export function mount(root, { store }) {
  const list = table({
    label: "Audit log",
    path: "/audit",
    item: answers.audit,
    store,
    columns: [
      {
        title: "Action",
        width: "minmax(100px, 1fr)",
        cell: (entry) => h("b", { title: entry.path }, words(entry.action)),
      },
      { title: "Target", width: "minmax(140px, 2fr)", cell: (entry) => entry.target },
      { title: "Outcome", width: "130px", small: "112px", cell: outcome },
      { title: "Detail", width: "minmax(120px, 2fr)", wide: true, cell: (entry) => entry.detail },
      { title: "From", width: "150px", wide: true, cell: (entry) => entry.remote },
      { title: "Time", width: "200px", wide: true, number: true, cell: (entry) => moment(entry.at_millis) },
    ],
    key: (entry) => entry.number,
    empty: () =>
      empty(
        "No action was tried",
        "Each action by the console is here, with its outcome and the address from which it came.",
      ),
  });
  replace(root, heading("Audit", "Actions that were tried by this console. Newest first."), list.element);
  return list;
}

function outcome({ ok, result }) {
  const text = `${ok ? "✓" : "✕"} ${words(result)}`;
  return h("span", { class: "event-kind", data: { tone: ok ? "ok" : "bad" } }, text);
}
