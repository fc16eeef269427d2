// The answers of the API as the values that views show. What another version calls otherwise, or
// does not have, is dealt with here.

import { millis } from "./format.js";

/// The health of a system in the words of its worst tree.
const SEVERITY = ["failed", "starting", "stopping", "not_ready", "ready"];

/// How long a deadlock that was reported is shown: its calls end with their timeouts.
const DEADLOCK_SHOWN = 30_000;

export function overview(answer) {
  const trees = answer.health ?? [];
  const status = SEVERITY.find((each) => trees.some((tree) => tree.status === each)) ?? "none";
  const reasons = trees
    .filter((tree) => tree.status !== "ready")
    .map((tree) => [tree.tree, tree.text].filter(Boolean).join(": "));
  const recent = (answer.deadlocks ?? []).filter((event) => Date.now() - event.at_millis < DEADLOCK_SHOWN);
  return {
    ...answer,
    health: { status, reasons },
    deadlocks: recent,
    troubled: answer.troubled.map(node),
  };
}

/// A node of a tree.
export function node(answer) {
  return {
    ...answer,
    incarnation: answer.incarnation ?? answer.pid?.incarnation ?? 0,
    suspended: answer.suspended ?? false,
    busy_millis: answer.busy_millis ?? null,
    retry_in_millis: answer.retry_in_millis ?? null,
  };
}

/// An actor in a list.
export function process(answer) {
  return {
    ...answer,
    queued: answer.messages.queued,
    handled: answer.messages.handled,
    oldest_waited_millis: millis(answer.oldest_waited_at_least),
    busy_millis: millis(answer.busy_for_at_least),
    retry_in_millis: millis(answer.pending_start?.retry_in),
    reason: answer.pending_start?.reason ?? null,
  };
}

/// The card of an actor.
export function card(answer) {
  return {
    ...answer,
    actor: process(answer.actor),
    node: answer.node && node(answer.node),
    keys: answer.keys ?? [],
    handle_times: answer.handle_times ?? null,
  };
}

/// A dead letter: the message and its target in one object.
export function letter(answer) {
  return answer.letter ? { ...answer, ...answer.letter } : answer;
}

/// A pool, or a durable queue.
export function pool(answer) {
  const stats = answer.info?.stats ?? answer.stats ?? null;
  const jobs =
    answer.jobs ??
    (stats && {
      queued: stats.queued,
      running: stats.running,
      terminating: stats.terminating,
      completed: stats.completed,
    });
  const dead = answer.dead === undefined || answer.dead === null ? {} : { dead: answer.dead };
  return {
    ...answer,
    id: answer.identity ?? answer.id ?? answer.name,
    path: answer.path ?? answer.name,
    durable: answer.identity === undefined,
    wanted: answer.info?.status.wanted ?? null,
    wait_times: answer.info?.wait_times ?? [],
    run_times: answer.info?.run_times ?? [],
    stats,
    jobs: { ...jobs, ...dead },
    workers: (answer.workers ?? []).map(node),
    paused: answer.paused ?? false,
    can: answer.actions ?? (answer.is_known === false ? [] : null),
  };
}

/// What may be done to a job in a state.
const JOB_ACTIONS = {
  dead: ["retry", "drop"],
  unknown: ["retry", "drop"],
  queued: ["cancel"],
  delayed: ["cancel"],
  running: ["cancel"],
};

/// A job in a list.
export function job(answer) {
  return {
    ...answer,
    label: answer.label ?? answer.text ?? null,
    actions: answer.actions ?? JOB_ACTIONS[answer.state] ?? [],
    error: answer.error ?? null,
  };
}

/// One job, with the steps of its timeline joined to attempts.
export function jobDetail(answer) {
  const timeline = answer.timeline ?? [];
  const inner = answer.job ?? answer;
  const submitted = timeline.find((step) => kindOf(step) === "submitted");
  return {
    ...job(inner),
    payload: answer.payload ?? null,
    failures: answer.failures ?? [],
    submitted_at_millis: inner.submitted_at_millis ?? submitted?.at_millis ?? null,
    history: answer.history ?? attempts(timeline, answer.failures ?? []),
  };
}

function kindOf(step) {
  return typeof step.kind === "string" ? step.kind : Object.keys(step.kind)[0];
}

/// Joins each start with the step that ended it. An error that the step does not have is that of the
/// list of failures.
export function attempts(timeline, failures) {
  const list = [];
  for (const step of timeline) {
    const kind = kindOf(step);
    const fields = typeof step.kind === "string" ? {} : step.kind[kind];
    const open = list.at(-1)?.ended_at_millis === null ? list.at(-1) : null;
    if (kind === "started") {
      list.push({
        number: list.length + 1,
        started_at_millis: step.at_millis,
        ended_at_millis: null,
        outcome: "running",
        worker: fields.worker,
        incarnation: fields.incarnation,
        error: null,
      });
    } else if (open && (kind === "retried" || kind === "ended")) {
      open.ended_at_millis = step.at_millis;
      open.outcome = kind === "retried" ? String(fields.cause ?? "failed").toLowerCase() : fields.state;
      open.error = fields.error ?? null;
    }
  }
  const failed = list.filter((attempt) => !["done", "completed", "running"].includes(attempt.outcome));
  // The failures are those of the last attempts, if more were made than are told.
  failures.slice(-failed.length).forEach((error, index) => (failed[index].error ??= error));
  return list;
}

/// An entry of the audit log.
export function audit(answer) {
  const refused = answer.outcome?.refused;
  return { ...answer, ok: !refused, result: refused?.error ?? refused ?? answer.outcome };
}
