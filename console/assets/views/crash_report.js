// A crash: its reason, and the way that it took through the tree.

import { h } from "../dom.js";
import { duration, lastOf } from "../format.js";
import { reason, section } from "../parts/small.js";
import { describe, eventLine, identityOf, subjectOf } from "../parts/event.js";
import { link } from "../router.js";

/// The reason of a crash, and its chain of causes and effects.
export function crashReport(report) {
  return h("div", { class: "crash" }, reason(report.crash.kind.ended.reason), chain(report));
}

/// The reason, the chain, and the last events of the actor before.
export function fullReport(report) {
  return [
    reason(report.crash.kind.ended.reason),
    section("What led to it and what it led to", chain(report)),
    section(
      "Last events of the actor before",
      report.last_events.length > 0
        ? h(
            "div",
            { class: "feed" },
            report.last_events.map((event) => eventLine(event, { subject: false })),
          )
        : h("p", { class: "none" }, "None is kept."),
    ),
  ];
}

/// The causes, the crash and its effects, one below the other. Each step is indented by its place in
/// the tree, so that an escalation is seen to climb.
function chain({ crash, causes, effects }) {
  const steps = [
    ...causes.map((event) => ["cause", event]),
    ["crash", crash],
    ...effects.map((event) => ["effect", event]),
  ];
  const levels = steps.map(([, event]) => subjectOf(event).split("/").length);
  const least = Math.min(...levels);
  const items = steps.map(([role, event], index) => {
    const item = h("li", { class: "step", data: { role, tone: describe(event)[1] } }, step(event, crash));
    item.style.setProperty("--level", Math.min(8, levels[index] - least));
    return item;
  });
  return h("ol", { class: "chain", "aria-label": "Causes and effects" }, items);
}

function step(event, crash) {
  const [word, tone, detail] = describe(event);
  const path = subjectOf(event);
  const identity = identityOf(event);
  const apart = event.at_millis - crash.at_millis;
  const when =
    event === crash
      ? ""
      : apart < 0
        ? `${duration(-apart)} before`
        : apart === 0
          ? "at once"
          : `after ${duration(apart)}`;
  return [
    h("span", { class: "event-kind", data: { tone } }, word),
    h(
      identity ? "a" : "span",
      {
        class: "path",
        href: identity && link("actor", [identity]),
        title: path,
      },
      lastOf(path),
    ),
    h("span", { class: "event-detail", title: detail }, detail),
    h("span", { class: "when" }, when),
  ];
}
