// One job: its attempts on a line of time, with the error of each.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { perform } from "../actions.js";
import { duration, moment, words } from "../format.js";
import { h, replace } from "../dom.js";
import { button, empty, facts, heading, section, tag } from "../parts/small.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";
import { toneOf } from "./pools.js";

const OUTCOMES = {
  completed: "ok",
  done: "ok",
  running: "info",
  released: "muted",
  cancelled: "muted",
};

export function mount(root, { store, rest }) {
  const [kind, id, number] = rest;
  const path = `/${kind}/${encodeURIComponent(id)}/jobs/${encodeURIComponent(number)}`;
  const back = h(
    "a",
    { class: "button", href: link(kind === "queues" ? "queue" : "pool", [id]) },
    "All jobs",
  );
  const body = h("div", { class: "page" });
  replace(root, body);
  const refresher = new Refresher(
    async (signal) => {
      const job = answers.jobDetail(await get(path, {}, { signal }));
      replace(
        body,
        title(job, path, back, () => refresher.now()),
        about(job),
        section("Attempts", timeline(job)),
        job.payload && section("Payload", h("pre", { class: "payload" }, job.payload)),
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

function title(job, path, back, changed) {
  const texts = { retry: "Retry", drop: "Drop", cancel: "Cancel" };
  const buttons = job.actions.map((action) =>
    button(
      texts[action] ?? words(action),
      async () => {
        await perform(action, `${path}/${action}`, `job ${job.label ?? job.id}`);
        changed();
      },
      { tone: action === "drop" ? "bad" : "" },
    ),
  );
  return heading(job.label ?? `Job ${job.id}`, null, buttons, back);
}

function about(job) {
  return facts([
    ["State", tag(job.state, toneOf(job.state))],
    ["Attempt", job.attempts ? `${job.attempt} of ${job.attempts}` : job.attempt],
    ["Submitted", job.submitted_at_millis && moment(job.submitted_at_millis)],
    ["Due", job.due_in_millis > 0 && `in ${duration(job.due_in_millis)}`],
    ["Priority", job.priority],
    ["Key", job.key && h("code", {}, job.key)],
  ]);
}

/// The attempts below each other, each with a bar at its place in the time of the job.
function timeline(job) {
  const { history, failures } = job;
  if (history.length === 0 && failures.length > 0)
    return h(
      "ol",
      { class: "attempts" },
      failures.map((error, index) =>
        h(
          "li",
          { class: "attempt" },
          h("b", {}, `Failure ${index + 1}`),
          h("p", { class: "attempt-error" }, error),
        ),
      ),
    );
  if (history.length === 0) return h("p", { class: "none" }, "The console has seen no attempt.");
  const from = job.submitted_at_millis ?? history[0].started_at_millis;
  const to = Math.max(from + 1, ...history.map((attempt) => attempt.ended_at_millis ?? Date.now()));
  return h(
    "ol",
    { class: "attempts" },
    history.map((attempt) => attemptLine(attempt, from, to)),
  );
}

function attemptLine(attempt, from, to) {
  const ended = attempt.ended_at_millis ?? Date.now();
  const bar = h("span", {
    class: "attempt-bar",
    data: { tone: OUTCOMES[attempt.outcome] ?? "bad" },
  });
  bar.style.left = `${(100 * (attempt.started_at_millis - from)) / (to - from)}%`;
  bar.style.width = `${Math.max(0.6, (100 * (ended - attempt.started_at_millis)) / (to - from))}%`;
  return h(
    "li",
    { class: "attempt" },
    h(
      "div",
      { class: "attempt-head" },
      h("b", {}, `Attempt ${attempt.number}`),
      tag(words(attempt.outcome), OUTCOMES[attempt.outcome] ?? "bad"),
      h(
        "span",
        { class: "sub" },
        `${moment(attempt.started_at_millis)}, took ${duration(ended - attempt.started_at_millis)}`,
      ),
      attempt.worker &&
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
