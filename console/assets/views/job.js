// One job: its attempts on a line of time, with the error of each.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { moment } from "../format.js";
import { h, replace } from "../dom.js";
import { attempts } from "../parts/attempts.js";
import { empty, facts, heading, section } from "../parts/small.js";
import { jobButtons, stateTag } from "../parts/job.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

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

function timeline(job) {
  const { history, failures } = job;
  if (history.length === 0 && failures.length === 0)
    return h("p", { class: "none" }, "The console has seen no attempt.");
  if (history.length === 0) return h("ol", { class: "attempts" }, failures.map(failureLine));
  return attempts(
    history.map((attempt) => ({ ...attempt, by: worker(attempt) })),
    job.submitted_at_millis ?? undefined,
  );
}

function worker({ worker, incarnation }) {
  return h("a", { class: "sub", href: link("actor", [worker]) }, `by <${worker}.${incarnation}>`);
}

function failureLine(error, index) {
  return h(
    "li",
    { class: "attempt" },
    h("b", {}, `Failure ${index + 1}`),
    h("p", { class: "attempt-error" }, error),
  );
}
