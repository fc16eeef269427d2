// One job: its attempts on a line of time, with the error of each.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { duration, moment, words } from "../format.js";
import { h, replace } from "../dom.js";
import { empty, facts, heading, section, tag } from "../parts/small.js";
import { jobButtons, stateTag } from "../parts/job.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

/// The tones of what came of an attempt. All others are bad.
const OUTCOMES = { done: "ok", running: "info", cancelled: "muted" };

export function mount(root, { store, rest }) {
  const [pool, number] = rest;
  const path = `/pools/${encodeURIComponent(pool)}/jobs/${encodeURIComponent(number)}`;
  const back = h("a", { class: "button", href: link("pool", [pool]) }, "All jobs");
  const body = h("div", { class: "page" });
  replace(root, body);
  const refresher = new Refresher(
    async (signal) => {
      const job = answers.jobDetail(await get(path, {}, { signal }));
      const buttons = jobButtons(job, path, () => refresher.now());
      replace(
        body,
        heading(job.text ?? `Job ${job.id}`, null, h("div", { class: "actions" }, buttons), back),
        facts([
          ["State", stateTag(job)],
          ["Attempt", job.attempt],
          ["Submitted", job.submitted_at_millis && moment(job.submitted_at_millis)],
        ]),
        section("Attempts", timeline(job)),
      );
    },
    {
      store,
      every: 1000,
      failed: (error) =>
        error.status === 404 &&
        replace(
          body,
          heading(`Job ${number}`, null, back),
          empty("This job is not kept any more", "It completed, was dropped, or its pool has ended."),
        ),
    },
  );
  return refresher;
}

/// The attempts below each other, each with a bar at its place in the time of the job.
function timeline(job) {
  const { history, failures } = job;
  if (history.length === 0 && failures.length === 0)
    return h("p", { class: "none" }, "The console has seen no attempt.");
  if (history.length === 0) return h("ol", { class: "attempts" }, failures.map(failureLine));
  const from = job.submitted_at_millis ?? history[0].started_at_millis;
  const to = Math.max(from + 1, ...history.map((attempt) => attempt.ended_at_millis ?? Date.now()));
  return h(
    "ol",
    { class: "attempts" },
    history.map((attempt) => attemptLine(attempt, from, to)),
  );
}

function failureLine(error, index) {
  return h(
    "li",
    { class: "attempt" },
    h("b", {}, `Failure ${index + 1}`),
    h("p", { class: "attempt-error" }, error),
  );
}

function attemptLine(attempt, from, to) {
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
      h(
        "a",
        { class: "sub", href: link("actor", [attempt.worker]) },
        `by <${attempt.worker}.${attempt.incarnation}>`,
      ),
    ),
    h("div", { class: "attempt-line", "aria-hidden": "true" }, bar),
    attempt.error && h("p", { class: "attempt-error" }, attempt.error),
  );
}
