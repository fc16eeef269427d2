// The dead letters: messages that were accepted and will not be handled.

import { resend } from "../actions.js";
import { clock, reasonText, words } from "../format.js";
import { h, replace } from "../dom.js";
import { button, choice, emptyList, filterField, heading, tag } from "../parts/small.js";
import { table } from "../parts/table.js";
import { link } from "../router.js";

const KINDS = [
  ["", "All kinds"],
  ["in_flight", "In flight"],
  ["unhandled", "Unhandled"],
  ["overflow", "Overflow"],
];
const TONES = { in_flight: "bad", unhandled: "warn", overflow: "violet" };

const COLUMNS = [
  { title: "Actor", width: "minmax(120px, 2fr)", cell: (letter) => letter.label },
  {
    title: "Message",
    width: "minmax(100px, 1.5fr)",
    wide: true,
    cell: ({ message_type: type }) => h("code", { title: type }, shortType(type)),
  },
  {
    title: "Lost",
    width: "100px",
    small: "92px",
    cell: (letter) => tag(words(letter.kind), TONES[letter.kind]),
  },
  {
    title: "Reason",
    width: "minmax(120px, 3fr)",
    wide: true,
    cell: (letter) => (letter.reason ? reasonText(letter.reason) : "its mailbox was full"),
  },
  { title: "Time", width: "110px", wide: true, number: true, cell: (letter) => clock(letter.at_millis) },
];

/// The column with the button of a letter whose message is kept.
function resendColumn(changed) {
  const run = async (letter) => {
    await resend(letter);
    changed();
  };
  const cell = (letter) =>
    letter.can_resend &&
    h(
      "span",
      { class: "row-actions" },
      button("Send again", () => run(letter), { small: true }),
    );
  return { title: "", width: "100px", small: "92px", cell };
}

export function mount(root, { store, parameters }) {
  const filter = { q: parameters.q ?? "", kind: parameters.kind ?? "" };
  const list = table({
    label: "Dead letters",
    path: "/dead-letters",
    filter,
    store,
    columns: [...COLUMNS, resendColumn(() => list.reload())],
    key: (letter) => letter.id,
    href: (letter) => link("actor", [letter.target.identity]),
    empty: () =>
      emptyList(
        filter.q || filter.kind,
        "No dead letter is like this",
        "No dead letter",
        "Every accepted message was handled, or waits.",
      ),
  });
  replace(
    root,
    heading(
      "Dead letters",
      "Messages that were accepted and will not be handled. Newest first.",
      choice("Kind", KINDS, filter.kind, (kind) => list.change({ kind })),
      filterField("Filter by actor or message", filter.q, (q) => list.change({ q })),
    ),
    list.element,
  );
  return list;
}

/// The type of a message without the modules around it.
function shortType(type) {
  return type.replace(/(?:\w+::)+/g, "");
}
