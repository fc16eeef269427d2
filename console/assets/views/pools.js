// The pools: their workers, their jobs by state, their rate.

import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { h, reconcile, replace, setText } from "../dom.js";
import { empty, heading, tag } from "../parts/small.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

export function mount(root, { store }) {
  const list = h("div", { class: "cards" });
  const note = h("div", {});
  replace(root, heading("Pools", "Workers that share jobs."), note, list);
  return new Refresher(
    async (signal) => {
      const { items } = await get("/pools", { limit: 500 }, { signal });
      replace(note, items.length === 0 && empty("There is no pool", "A pool is here as soon as it starts."));
      reconcile(list, items, {
        key: (pool) => pool.identity,
        create: (pool) => card(pool),
        update: (element, pool) => element.show(pool),
      });
    },
    { store, every: 1000 },
  );
}

function card(pool) {
  const name = h("a", { class: "pool-name", href: link("pool", [pool.identity]) }, pool.path);
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
    const { stats } = now.info;
    const { direction } = stats.rollout;
    replace(tags, now.paused && tag("paused", "warn"), direction && tag(`rollout ${direction}`, "info"));
    replace(states, jobFigures(now));
    replace(workers, workerDots(stats.workers));
    setText(line, summary(stats));
  };
  return element;
}

/// The numbers of a pool that are shown, with their tones.
const FIGURES = [
  ["queued", "info"],
  ["running", "ok"],
  ["terminating", "warn"],
  ["dead", "bad"],
  ["completed", "muted"],
];

/// The number of jobs in each state. The dead ones are those of a pool that the console knows.
export function jobFigures({ info, dead }) {
  const jobs = { ...info.stats, dead };
  const shown = FIGURES.filter(([state]) => jobs[state] !== null);
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

/// The median of times and their 99th percentile.
export function quantiles(median, high) {
  return `${duration(median)} median, ${duration(high)} 99th percentile`;
}

function summary(stats) {
  if (stats.submitted === 0) return "No job was submitted yet.";
  return [
    `${count(stats.completed)} completed`,
    `${count(stats.failed)} failed`,
    `${count(stats.retried)} retried`,
    quantiles(stats.work_p50, stats.work_p99),
  ].join(" · ");
}
