// The dead letters: messages that were accepted and will not be handled.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { perform } from "../actions.js";
import { clock, reasonText, words } from "../format.js";
import { h, replace } from "../dom.js";
import { button, choice, empty, filterField, heading, tag } from "../parts/small.js";
import { table } from "../parts/table.js";
import { link, setParameters } from "../router.js";

const KINDS = [
  ["", "All kinds"],
  ["in_flight", "In flight"],
  ["unhandled", "Unhandled"],
  ["overflow", "Overflow"],
];
const TONES = { in_flight: "bad", unhandled: "warn", overflow: "violet" };

export function mount(root, { store, parameters }) {
  const state = { q: parameters.q ?? "", kind: parameters.kind ?? "" };
  const list = table({
    label: "Dead letters",
    store,
    columns: columns(() => list.rows.reload()),
    fetchPage: (offset, limit, signal) => page(get("/dead-letters", { ...state, offset, limit }, { signal })),
    key: (entry) => entry.id,
    href: (entry) => link("actor", [entry.target.identity]),
    empty: () =>
      empty(
        state.q || state.kind ? "No dead letter is like this" : "No dead letter",
        state.q || state.kind
          ? "Another filter shows more."
          : "Every accepted message was handled, or waits.",
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
      "Dead letters",
      "Messages that were accepted and will not be handled. Newest first.",
      choice("Kind", KINDS, state.kind, (kind) => change({ kind })),
      filterField("Filter by actor or message", state.q, (q) => change({ q })),
    ),
    list.element,
  );
  return list;
}

async function page(answer) {
  const { total, items } = await answer;
  return { total, items: items.map(answers.letter) };
}

function columns(changed) {
  return [
    {
      title: "Actor",
      width: "minmax(120px, 2fr)",
      cell: (letter) => letter.label,
    },
    {
      title: "Message",
      width: "minmax(100px, 1.5fr)",
      wide: true,
      cell: (letter) => h("code", { title: letter.message_type }, shortType(letter.message_type)),
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
    {
      title: "Time",
      width: "110px",
      wide: true,
      number: true,
      cell: (entry) => clock(entry.at_millis),
    },
    {
      title: "",
      width: "120px",
      small: "108px",
      cell: (entry) => sendAgain(entry, changed),
    },
  ];
}

/// The type of a message without the modules around it.
export function shortType(type) {
  return type.replace(/(?:\w+::)+/g, "");
}

function sendAgain(entry, changed) {
  if (entry.sent_again) return h("span", { class: "none" }, "sent again");
  if (!entry.can_send_again)
    return h("span", { class: "none", title: "The message itself is not kept." }, "");
  return button(
    "Send again",
    async () => {
      await perform("send-again", `/dead-letters/${entry.id}/send-again`, entry.label);
      changed();
    },
    { small: true },
  );
}
