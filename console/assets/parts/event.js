// An event in one line.

import { clock, counted, duration, lastOf, reasonText, restartsLeft, words } from "../format.js";
import { h } from "../dom.js";
import { isCrash } from "../store.js";
import { link } from "../router.js";

/// Returns the kind of an event and what it has.
function kindOf(event) {
  return Object.entries(event.kind)[0];
}

/// Returns the identity that an event is about, or `null`.
export function identityOf(event) {
  const [kind, value] = kindOf(event);
  if (kind === "pool") return value.supervisor.identity;
  if (kind === "dead_letter") return value.target.identity;
  if (kind === "name_handed_over") return value.to;
  return value.pid?.identity ?? value.identity ?? null;
}

/// Returns the path of the subject of an event.
export function subjectOf(event) {
  const [kind, value] = kindOf(event);
  if (kind === "deadlock") return value.cycle.map((actor) => lastOf(actor.label)).join(" → ");
  return value.path ?? value.label ?? value.name ?? value.group;
}

const REPORTS = {
  started: () => ["started", "ok", "by its supervisor"],
  terminated: ({ reason }) => ["terminated", "muted", reasonText(reason)],
  start_failed: ({ reason }) => ["start failed", "bad", reasonText(reason)],
  restarting: (report) => ["restarting", "warn", restarting(report)],
  shutdown_error: ({ reason }) => ["stopped with an error", "warn", reasonText(reason)],
  unresponsive: ({ sign }) => ["unresponsive", "bad", signText(sign)],
  killed: () => ["killed", "warn", "it did not stop in time"],
  abandoned: () => ["abandoned", "bad", "it did not end after a kill"],
  start_limit_hit: ({ reason }) => ["start limit hit", "bad", reasonText(reason)],
  gave_up: ({ child }) => ["gave up", "bad", `too many restarts of ${child}`],
};

function restarting({ reason, restarts_left, delay }) {
  const wait = delay.secs || delay.nanos ? `in ${duration(delay)}` : "at once";
  return `${wait}, ${restartsLeft(restarts_left)}, after: ${reasonText(reason)}`;
}

function signText(sign) {
  const [check, value] = Object.entries(sign)[0];
  if (check === "probe") return `${counted(value, "probe")} unanswered`;
  return check === "watchdog"
    ? `no ping for ${duration(value)}`
    : `a handler has been running for ${duration(value)}`;
}

const KINDS = {
  started: (value) => ["started", "ok", `incarnation ${value.pid.incarnation}`],
  ended: (value, event) => [
    isCrash(event) ? "crashed" : "ended",
    isCrash(event) ? "bad" : "muted",
    reasonText(value.reason),
  ],
  abandoned: () => ["abandoned", "bad", "its mailbox was detached; its code runs on"],
  closed: (value) => ["closed", "muted", reasonText(value.reason)],
  supervisor: (value) => ["supervisor", value.gave_up ? "bad" : "info", supervisor(value)],
  report: (value) => report(value.report),
  pool: (value) => ["pool", "info", `${counted(value.wanted, "worker")} wanted`],
  name_bound: (value) => ["name bound", "info", `to ${value.identity}`],
  name_unbound: (value) => ["name unbound", "muted", `from ${value.identity}`],
  name_handed_over: (value) => ["name handed over", "info", `from ${value.from} to ${value.to}`],
  group_joined: (value) => ["joined a group", "info", `actor ${value.identity}`],
  group_left: (value) => ["left a group", "muted", `actor ${value.identity}`],
  dead_letter: (value) => ["dead letter", "warn", `${value.message_type}, ${words(value.kind)}`],
  deadlock: (value) => ["deadlock", "bad", `${counted(value.cycle.length, "actor")} wait for each other`],
};

function supervisor(value) {
  if (value.gave_up) return "exceeded its restart intensity";
  return [counted(value.restarts, "restart"), restartsLeft(value.restarts_left)].filter(Boolean).join(", ");
}

function report(value) {
  const [kind, fields] = typeof value === "string" ? [value, {}] : Object.entries(value)[0];
  return REPORTS[kind]?.(fields) ?? [words(kind), "muted", ""];
}

/// Returns the word of an event, its tone and its details.
export function describe(event) {
  const [kind, value] = kindOf(event);
  return KINDS[kind]?.(value, event) ?? [words(kind), "muted", ""];
}

/// Returns the lane of the timeline in which an event is shown.
export function laneOf(event) {
  const [kind, value] = kindOf(event);
  if (isCrash(event)) return "crashes";
  if (kind === "report" && (value.report.restarting || value.report.gave_up || value.report.start_limit_hit))
    return "supervision";
  if (kind === "dead_letter") return "dead letters";
  if (kind === "deadlock") return "crashes";
  return "other";
}

/// An event in one line. Its subject leads to the actor, and a crash to its report.
export function eventLine(event, { subject = true } = {}) {
  const [word, tone, more] = describe(event);
  const [, { name: nameOf, group }] = kindOf(event);
  // Where the actor is known, the name or the group is what is not.
  const detail = subject ? more : (nameOf ?? group ?? more);
  const identity = identityOf(event);
  const path = subjectOf(event);
  const name = identity
    ? h("a", { href: link("actor", [identity]), title: path }, path)
    : h("span", { title: path }, path);
  return h(
    "div",
    { class: "event", data: { sequence: event.sequence } },
    h("time", { title: `event ${event.sequence}` }, clock(event.at_millis)),
    h(
      "span",
      { class: "event-kind", data: { tone } },
      isCrash(event) ? h("a", { href: link("crashes", [event.sequence]) }, word) : word,
    ),
    subject && h("span", { class: "event-subject" }, name),
    h("span", { class: "event-detail", title: detail }, detail),
  );
}
