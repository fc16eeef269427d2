// The crashes, newest first, and the report of one.

import { get } from "../api.js";
import { clock, moment, reasonKind } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, heading } from "../parts/small.js";
import { table } from "../parts/table.js";
import { link } from "../router.js";
import { Refresher } from "../refresh.js";
import { fullReport } from "./crash_report.js";

export function mount(root, { store, rest }) {
  return rest.length > 0 ? one(root, store, rest[0]) : all(root, store);
}

function all(root, store) {
  const list = table({
    label: "Crashes",
    path: "/crashes",
    store,
    columns: [
      { title: "Actor", width: "minmax(140px, 2fr)", cell: (crash) => crash.label },
      {
        title: "Reason",
        width: "110px",
        small: "84px",
        cell: ({ reason }) => h("span", { class: "event-kind", data: { tone: "bad" } }, reasonKind(reason)),
      },
      {
        title: "Message",
        width: "minmax(120px, 3fr)",
        wide: true,
        cell: ({ reason }) => reason.message ?? "–",
      },
      {
        title: "Place",
        width: "minmax(100px, 1.5fr)",
        wide: true,
        cell: ({ reason }) => h("code", { title: reason.location }, reason.location),
      },
      {
        title: "Incarnation",
        width: "100px",
        wide: true,
        number: true,
        cell: (crash) => crash.incarnation,
      },
      {
        title: "Time",
        width: "110px",
        small: "100px",
        number: true,
        cell: (crash) => clock(crash.at_millis),
      },
    ],
    key: (crash) => crash.sequence,
    href: (crash) => link("crashes", [crash.sequence]),
    empty: () => empty("No crash", "No actor has crashed since the console looks."),
  });
  replace(
    root,
    heading("Crashes", "An abnormal end that neither a kill nor a supervisor caused. Newest first."),
    list.element,
  );
  return list;
}

function one(root, store, sequence) {
  const body = h("div", { class: "page" });
  replace(root, body);
  return new Refresher(
    async (signal) => {
      const report = await get(`/crashes/${sequence}`, {}, { signal });
      const { pid, label } = report.crash.kind.ended;
      const title = heading(
        "Crash",
        null,
        h("a", { class: "button", href: link("actor", [pid.identity]) }, "Open the actor"),
        h("a", { class: "button", href: link("crashes") }, "All crashes"),
      );
      replace(
        body,
        title,
        h(
          "p",
          { class: "card-path" },
          label,
          ` · incarnation ${pid.incarnation} · ${moment(report.crash.at_millis)}`,
        ),
        fullReport(report),
      );
    },
    {
      store,
      every: 5000,
      gap: 1000,
      failed: (error) =>
        error.status === 404 &&
        replace(
          body,
          heading("Crash", null),
          empty("This crash is not kept any more", "The console keeps a bounded number of events."),
        ),
    },
  );
}
