// An account of messages: accepted is handled, lost, dead-lettered and queued, or it is red.

import { count, short } from "../format.js";
import { h } from "../dom.js";
import { verdict } from "./small.js";

/// The parts into which accepted messages go, with the tone of each.
const PARTS = [
  ["handled", "handled", "ok"],
  ["queued", "queued", "info"],
  ["lost_in_flight", "lost in flight", "bad"],
  ["dead_lettered", "dead letters", "warn"],
];

/// An account as a bar and an equation.
export function account(messages) {
  const missing = messages.accepted - PARTS.reduce((sum, [name]) => sum + messages[name], 0);
  const bar = h("div", { class: "account-bar", "aria-hidden": "true" });
  for (const [name, , tone] of PARTS) {
    if (!messages[name]) continue;
    const part = h("span", { data: { tone } });
    part.style.flexGrow = messages[name] / Math.max(1, messages.accepted);
    bar.append(part);
  }
  const terms = PARTS.map(([name, text, tone], index) => [
    h("span", { class: "operator" }, index === 0 ? "=" : "+"),
    h(
      "span",
      { title: count(messages[name]) },
      h("b", { data: { tone } }, short(messages[name])),
      ` ${text}`,
    ),
  ]);
  return h(
    "div",
    { class: "account", data: { balances: String(messages.balances) } },
    bar,
    h(
      "p",
      { class: "equation" },
      h("span", { title: count(messages.accepted) }, h("b", {}, short(messages.accepted)), " accepted"),
      terms,
    ),
    verdict(
      messages.balances,
      messages.balances
        ? "balances"
        : `does not balance: ${count(Math.abs(missing))} ${missing > 0 ? "missing" : "too many"}`,
    ),
  );
}
