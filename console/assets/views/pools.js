// The pools and the durable queues: their workers, their jobs by state, their rate.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { h, reconcile, replace, setText } from "../dom.js";
import { empty, heading, tag } from "../parts/small.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

export function mount(root, { store }) {
  const list = h("div", { class: "cards" });
  const note = h("div", {});
  replace(root, heading("Pools", "Workers that share jobs, in memory and durable."), note, list);
  return new Refresher(
    async (signal) => {
      const [pools, queues] = await Promise.all([
        get("/pools", { limit: 500 }, { signal }),
        // Only a console with a store of jobs has queues.
        store.session?.queues ? get("/queues", { limit: 500 }, { signal }) : { items: [] },
      ]);
      const all = [...pools.items, ...queues.items].map(answers.pool).map((pool) => ({
        ...pool,
        at: [pool.durable ? "queue" : "pool", [pool.id]],
      }));
      replace(note, all.length === 0 && empty("There is no pool", "A pool is here as soon as it starts."));
      reconcile(list, all, {
        key: ({ at }) => at.join(),
        create: (pool) => card(pool),
        update: (element, pool) => element.show(pool),
      });
    },
    { store, every: 1000 },
  );
}

/// The states of jobs that are shown, with their tones.
export const JOB_STATES = [
  ["queued", "info"],
  ["delayed", "violet"],
  ["running", "ok"],
  ["terminating", "warn"],
  ["dead", "bad"],
  ["unknown", "bad"],
  ["completed", "muted"],
  ["cancelled", "muted"],
  ["expired", "muted"],
];

/// The tone of a state of a job.
export function toneOf(state) {
  return Object.fromEntries(JOB_STATES)[state] ?? "muted";
}

function card(pool) {
  const name = h("a", { class: "pool-name", href: link(...pool.at) }, pool.path);
  const tags = h("span", { class: "tags" });
  const states = h("div", { class: "job-states" });
  const workers = h("div", { class: "worker-dots" });
  const line = h("p", { class: "sub" });
  const element = h(
    "article",
    { class: "pool-card" },
    h("header", {}, h("h2", {}, name), tags),
    states,
    workers,
    line,
  );
  element.show = (now) => {
    replace(
      tags,
      now.durable && tag("durable", "info"),
      now.paused && tag("paused", "warn"),
      now.rate && tag(now.rate, "muted"),
      rollout(now.stats?.rollout),
    );
    replace(states, jobFigures(now.jobs));
    replace(workers, workerDots(now.stats?.workers));
    setText(line, summary(now.stats));
  };
  return element;
}

function rollout(status) {
  return status?.direction ? tag(`rollout ${status.direction.toLowerCase?.() ?? ""}`, "info") : null;
}

/// The number of jobs in each state.
export function jobFigures(jobs) {
  const shown = JOB_STATES.filter(([state]) => jobs?.[state] !== undefined && jobs[state] !== null);
  return shown.map(([state, tone]) =>
    h(
      "div",
      { class: "figure", title: count(jobs[state]) },
      h("span", { class: "figure-value", data: { tone: jobs[state] ? tone : "none" } }, short(jobs[state])),
      h("span", { class: "figure-name" }, state),
    ),
  );
}

/// Workers as shapes: ready, busy or unready, starting, down. Their numbers stand beside them.
export function workerDots(workers) {
  if (!workers) return [];
  const groups = [
    ["ready", workers.ready],
    ["unready", workers.running - workers.ready],
    ["starting", workers.starting],
    ["down", workers.down],
  ];
  const dots = groups.flatMap(([state, number]) =>
    Array.from({ length: Math.min(number, 40) }, () => h("i", { data: { state } })),
  );
  const text = groups
    .filter(([, number]) => number > 0)
    .map(([state, number]) => `${count(number)} ${state}`)
    .join(", ");
  return [
    h("span", { class: "dots", "aria-hidden": "true" }, dots.slice(0, 60)),
    h(
      "span",
      { class: "sub" },
      `${count(workers.running)} of ${count(workers.wanted)} workers${text ? `: ${text}` : ""}`,
    ),
  ];
}

function summary(stats) {
  if (!stats?.submitted) return "No job was submitted yet.";
  const parts = [
    `${count(stats.completed)} completed`,
    `${count(stats.failed)} failed`,
    `${count(stats.retried)} retried`,
  ];
  if (stats.work_p50)
    parts.push(`${duration(stats.work_p50)} median, ${duration(stats.work_p99)} 99th percentile`);
  return parts.join(" · ");
}
