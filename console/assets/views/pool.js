// One pool: its workers, its jobs, and what can be done to them.

import { get } from "../api.js";
import { perform, resize, send } from "../actions.js";
import { count, duration } from "../format.js";
import { h, reconcile, replace, setText } from "../dom.js";
import { button, choice, empty, emptyList, filterField, section, tag } from "../parts/small.js";
import { histogram } from "../parts/chart.js";
import { jobButtons, JOB_STATES, stateTag } from "../parts/job.js";
import { setMark, stateOf } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { confirm } from "../parts/dialog.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";
import { jobFigures, quantiles, workerDots } from "./pools.js";

/// The actions in the order of their buttons, with what is said of them.
const ACTIONS = [
  ["pause", "Pause", "No job starts until the pool is resumed."],
  ["resume", "Resume", "Jobs start again."],
  ["resize", "Resize", "Sets the number of workers."],
  ["rolling-restart", "Restart workers", "Restarts one worker after the other."],
  ["drain", "Drain", "Waits until no job is queued and none runs. New jobs are accepted meanwhile."],
];

/// What is done to all dead jobs: the verb, what is told after it, and what is said before.
const BULK = {
  retry: ["Retry", "Retried", "Each begins again with its first attempt.", "accent"],
  drop: ["Drop", "Dropped", "They are removed for good.", "bad"],
};

export function mount(root, { store, rest, parameters }) {
  return new PoolView(root, store, rest[0], parameters);
}

class PoolView {
  constructor(root, store, id, parameters) {
    this.id = id;
    this.path = `/pools/${encodeURIComponent(id)}`;
    this.filter = { state: parameters.state ?? "", q: parameters.q ?? "" };
    this.title = h("h1", {}, "…");
    this.tags = h("div", { class: "tags" });
    this.actions = h("div", { class: "actions" });
    this.states = h("div", { class: "job-states large" });
    this.dots = h("div", { class: "worker-dots" });
    this.workers = h("div", { class: "workers" });
    this.times = h("div", { class: "pair" });
    this.bulk = h("span", { class: "bulk" });
    this.jobs = this.#jobs(store);
    replace(
      root,
      h(
        "div",
        { class: "pool" },
        h(
          "div",
          { class: "heading" },
          h("div", {}, this.title, this.tags),
          h("div", { class: "heading-aside" }, this.actions),
        ),
        this.states,
        h(
          "div",
          { class: "pool-parts" },
          h("div", {}, section("Jobs", [this.#bar(), this.jobs.element])),
          h("div", {}, section("Workers", [this.dots, this.workers]), section("Times", this.times)),
        ),
      ),
    );
    this.refresher = new Refresher((signal) => this.#load(signal), {
      store,
      every: 1000,
      failed: (error) => this.#fail(error),
    });
  }

  #bar() {
    const states = [["", "All states"], ...JOB_STATES.map((state) => [state, state])];
    return h(
      "div",
      { class: "toolbar" },
      choice("State", states, this.filter.state, (state) => this.jobs.change({ state })),
      filterField("Filter by job or error", this.filter.q, (q) => this.jobs.change({ q })),
      this.bulk,
    );
  }

  #jobs(store) {
    const { filter, path } = this;
    const changed = () => this.#changed();
    return table({
      label: "Jobs",
      path: `${path}/jobs`,
      filter,
      store,
      every: 1000,
      columns: [
        { title: "Job", width: "minmax(100px, 1.6fr)", cell: (job) => job.text ?? job.id },
        { title: "State", width: "84px", small: "84px", cell: stateTag },
        { title: "Attempt", width: "60px", wide: true, number: true, cell: (job) => job.attempt },
        { title: "Last error", width: "minmax(100px, 1.6fr)", wide: true, cell: (job) => job.error },
        {
          title: "",
          width: "112px",
          small: "132px",
          cell: (job) =>
            h(
              "span",
              { class: "row-actions" },
              jobButtons(job, `${path}/jobs/${job.id}`, changed, { small: true }),
            ),
        },
      ],
      key: (job) => job.id,
      href: (job) => link("job", [this.id, job.id]),
      empty: () =>
        emptyList(
          filter.state || filter.q,
          "No job is like this",
          "No job waits, runs or is dead",
          "Jobs are here as long as they are kept.",
        ),
    });
  }

  #changed() {
    this.jobs.reload();
    this.refresher.now();
  }

  async #load(signal) {
    const pool = await get(this.path, {}, { signal });
    this.pool = pool;
    const { stats, wait_times, run_times } = pool.info;
    setText(this.title, pool.path);
    replace(this.tags, pool.paused && tag("paused", "warn"));
    replace(this.states, jobFigures(pool));
    replace(this.dots, workerDots(stats.workers));
    this.#showActions(pool);
    this.#showWorkers(pool);
    replace(
      this.times,
      times("Waited before the start", wait_times, "Waiting times", stats.wait_p50, stats.wait_p99),
      times("Attempts took", run_times, "Running times", stats.work_p50, stats.work_p99),
    );
  }

  #showActions({ is_known, paused, dead }) {
    const hidden = paused ? "pause" : "resume";
    const shown = ACTIONS.filter(([action]) => is_known && action !== hidden);
    replace(
      this.actions,
      shown.map(([action, text, title]) => button(text, () => this.#act(action), { title })),
    );
    const bulk = Object.entries(BULK).map(([action, [verb]]) =>
      button(`${verb} dead jobs`, () => this.#bulk(action), {
        small: true,
        tone: action === "drop" ? "bad" : "",
      }),
    );
    replace(this.bulk, dead > 0 && bulk);
  }

  async #act(action) {
    const { path, info } = this.pool;
    if (action === "resize") await resize(this.path, path, info.status.wanted);
    else await perform(action, this.path, action === "rolling-restart" ? `the workers of ${path}` : path);
    this.refresher.now();
  }

  /// Retries or drops the dead jobs that the filter shows, or all.
  async #bulk(action) {
    const text = this.filter.q;
    const which = text ? `the dead jobs with “${text}”` : `all ${count(this.pool.dead)} dead jobs`;
    const [verb, past, effect, tone] = BULK[action];
    if (!(await confirm(`${verb} ${which}?`, effect, verb, tone))) return;
    const body = { filter: { contains: text } };
    await send(`${this.path}/dead-jobs/${action}`, body, [verb, past, `dead jobs of ${this.pool.path}`]);
    this.#changed();
  }

  #showWorkers({ workers }) {
    reconcile(this.workers, workers, {
      key: (worker) => worker.identity || worker.id,
      create: (worker) =>
        h(
          "a",
          { class: "worker", href: link("actor", [worker.identity]) },
          h("span", { class: "path" }),
          h("span", { class: "mark" }),
          h("span", { class: "sub" }),
        ),
      update: (element, worker) => {
        const [name, state, more] = element.children;
        const busy = worker.busy_millis === null ? "" : `busy ${duration(worker.busy_millis)}, `;
        setText(name, `worker ${worker.id}`);
        setMark(state, stateOf(worker), worker.retry_in_millis);
        setText(more, `${busy}incarnation ${worker.incarnation}`);
      },
    });
  }

  #fail(error) {
    if (error.status !== 404) return;
    setText(this.title, "Not here any more");
    replace(this.states, empty("This pool has ended", "Its jobs and workers are gone with it."));
  }

  stop() {
    this.refresher.stop();
    this.jobs.stop();
  }
}

function times(title, measured, text, median, high) {
  return h(
    "div",
    {},
    h("h3", {}, title),
    histogram(measured, text),
    h("p", { class: "sub" }, quantiles(median, high)),
  );
}
