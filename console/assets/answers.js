// The answers of the API as the values that views show.

import { millis } from "./format.js";

/// The health of a system in the words of its worst tree.
const SEVERITY = ["failed", "starting", "stopping", "not_ready", "ready"];

/// How long a deadlock that was reported is shown: its calls end with their timeouts.
const DEADLOCK_SHOWN = 30_000;

export function overview(answer) {
  const trees = answer.health;
  const status = SEVERITY.find((each) => trees.some((tree) => tree.status === each)) ?? "none";
  const reasons = trees
    .filter((tree) => tree.status !== "ready")
    .map((tree) => [tree.tree, tree.text].filter(Boolean).join(": "));
  const deadlocks = answer.deadlocks.filter((event) => Date.now() - event.at_millis < DEADLOCK_SHOWN);
  return { ...answer, health: { status, reasons }, deadlocks };
}

/// An actor in a list. Its times are milliseconds, as those of a node of a tree are.
export function process(answer) {
  return {
    ...answer,
    oldest_waited_millis: millis(answer.oldest_waited_at_least),
    busy_millis: millis(answer.busy_for_at_least),
    retry_in_millis: millis(answer.pending_start?.retry_in),
  };
}

/// One job, with the steps of its timeline joined to attempts.
export function jobDetail({ job, failures, timeline }) {
  const submitted = timeline.find((step) => step.kind === "submitted");
  return {
    ...job,
    failures,
    submitted_at_millis: submitted?.at_millis ?? null,
    history: attempts(timeline, failures),
  };
}

/// Joins each start with the step that ended it, and with its error in the list of failures.
export function attempts(timeline, failures) {
  const list = [];
  for (const { at_millis, kind } of timeline) {
    const open = list.at(-1)?.ended_at_millis === null ? list.at(-1) : null;
    const outcome = kind.retried?.cause ?? kind.ended?.state;
    if (kind.started) {
      list.push({
        ...kind.started,
        number: list.length + 1,
        started_at_millis: at_millis,
        ended_at_millis: null,
        outcome: "running",
        error: null,
      });
    } else if (open && outcome) Object.assign(open, { ended_at_millis: at_millis, outcome });
  }
  const failed = list.filter((attempt) => !["done", "running"].includes(attempt.outcome));
  // The failures are those of the last attempts, if more were made than are told.
  failures.slice(-failed.length).forEach((error, index) => (failed[index].error = error));
  return list;
}

/// An entry of the audit log.
export function audit(answer) {
  const { refused } = answer.outcome;
  return { ...answer, ok: !refused, result: refused ?? answer.outcome };
}
