// One durable job: what its store keeps of it, and its attempts on a line of time.

import { get } from "../api.js";
import { moment } from "../format.js";
import { h, replace } from "../dom.js";
import { attempts } from "../parts/attempts.js";
import { durableButtons, durableTag } from "../parts/durable.js";
import { empty, facts, heading, section } from "../parts/small.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

export function mount(root, { store, rest }) {
  const [name, number] = rest;
  const path = `/stores/${encodeURIComponent(name)}/jobs/${encodeURIComponent(number)}`;
  const body = h("div", { class: "page" });
  replace(root, body);
  const back = (queue) =>
    h(
      "a",
      { class: "button", href: queue ? link("queue", [name, queue]) : link("queues") },
      queue ? "All jobs" : "All queues",
    );
  const refresher = new Refresher(
    async (signal) => {
      const detail = await get(path, {}, { signal });
      const { job, actions } = detail;
      const buttons = durableButtons(job, path, () => refresher.now(), { actions });
      replace(
        body,
        heading(
          `Job ${job.id}`,
          `Of the queue ${job.queue} in the store ${name}`,
          h("div", { class: "actions" }, buttons),
          back(job.queue),
        ),
        facts(known(detail)),
        section("Job", h("pre", { class: "payload" }, job.text)),
        detail.output !== null && section("Output", h("pre", { class: "payload" }, detail.output)),
        section("Attempts", timeline(detail)),
      );
    },
    {
      store,
      every: 1000,
      failed: (error) => {
        const isGone = error.status === 404;
        const title = isGone ? "This job is not kept any more" : "The job is not known";
        const text = isGone ? "It was dropped, or its retention is over." : error.message;
        replace(body, heading(`Job ${number}`, null, back()), empty(title, text));
      },
    },
  );
  return refresher;
}

function known({ job, progress, ...detail }) {
  const time = (at) => at && moment(at);
  return [
    ["State", durableTag(job)],
    ["Type", `${detail.type_name} version ${detail.type_version}`],
    ["Attempts that may fail", detail.max_failed],
    ["Attempts that may be lost", detail.max_lost],
    ["Submitted", moment(job.submitted_at_millis)],
    ["Not before", job.due_at_millis > job.submitted_at_millis && moment(job.due_at_millis)],
    ["Ended", time(job.ended_at_millis)],
    ["Expires", time(detail.expires_at_millis)],
    ["Priority", detail.priority || null],
    ["Key", detail.key],
    ["Unique", detail.unique],
    ["Starts", detail.at_most_once && "once at most"],
    ["Progress", progress && `${progress.done} of ${progress.total}`],
    ["Trace", detail.traceparent],
  ];
}

/// The attempts that have ended, and the one that runs.
function timeline({ job, process, attempts: ended }) {
  const list = ended.map((attempt) => ({
    ...attempt,
    outcome: attempt.failure === null ? "completed" : "failed",
    error: attempt.failure,
    by: ran(attempt.process, attempt.is_forgiven),
  }));
  if (job.state === "running" && job.started_at_millis !== null)
    list.push({
      number: job.attempt,
      outcome: "running",
      started_at_millis: job.started_at_millis,
      ended_at_millis: null,
      by: process !== null && ran(process, false),
    });
  if (list.length === 0) return h("p", { class: "none" }, "No attempt has begun.");
  return attempts(list, Math.min(job.submitted_at_millis, list[0].started_at_millis));
}

function ran(process, isForgiven) {
  const more = isForgiven ? ", before a retry by hand" : "";
  return h("span", { class: "sub" }, `in process ${process}${more}`);
}
