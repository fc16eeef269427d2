// The attempts of a job below each other, each with a bar at its place in the time of the job.

import { duration, moment, words } from "../format.js";
import { h } from "../dom.js";
import { tag } from "./small.js";

/// The tones of what came of an attempt. All others are bad.
const OUTCOMES = { done: "ok", completed: "ok", running: "info", cancelled: "muted" };

/// Shows attempts from a time on. One has a `number`, an `outcome`, its times, and maybe an `error`
/// and `by`: what has run it.
export function attempts(list, from = list[0].started_at_millis) {
  const to = Math.max(from + 1, ...list.map((attempt) => attempt.ended_at_millis ?? Date.now()));
  return h(
    "ol",
    { class: "attempts" },
    list.map((attempt) => line(attempt, from, to)),
  );
}

function line(attempt, from, to) {
  const { started_at_millis: began, outcome } = attempt;
  const ended = attempt.ended_at_millis ?? Date.now();
  const tone = OUTCOMES[outcome] ?? "bad";
  const bar = h("span", { class: "attempt-bar", data: { tone } });
  bar.style.left = `${(100 * (began - from)) / (to - from)}%`;
  bar.style.width = `${Math.max(0.6, (100 * (ended - began)) / (to - from))}%`;
  return h(
    "li",
    { class: "attempt" },
    h(
      "div",
      { class: "attempt-head" },
      h("b", {}, `Attempt ${attempt.number}`),
      tag(words(outcome), tone),
      h("span", { class: "sub" }, `${moment(began)}, took ${duration(ended - began)}`),
      attempt.by,
    ),
    h("div", { class: "attempt-line", "aria-hidden": "true" }, bar),
    attempt.error && h("p", { class: "attempt-error" }, attempt.error),
  );
}
