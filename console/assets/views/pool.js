// One pool or durable queue: its workers, its jobs, and what can be done to them.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { perform, resize, send } from "../actions.js";
import { count, duration, short } from "../format.js";
import { h, reconcile, replace, setText } from "../dom.js";
import { button, choice, empty, filterField, section, tag } from "../parts/small.js";
import { histogram } from "../parts/chart.js";
import { setCountdown, stateOf } from "../parts/mark.js";
import { table } from "../parts/table.js";
import { confirm } from "../parts/dialog.js";
import { Refresher } from "../refresh.js";
import { link, setParameters } from "../router.js";
import { jobFigures, JOB_STATES, toneOf, workerDots } from "./pools.js";

const ACTIONS = [
  ["pause", "Pause"],
  ["resume", "Resume"],
  ["resize", "Resize"],
  ["rolling-restart", "Restart workers"],
  ["drain", "Drain"],
];

export function mount(root, { store, view, rest, parameters }) {
  return new PoolView(root, store, view === "queue" ? "queues" : "pools", rest[0], parameters);
}

class PoolView {
  constructor(root, store, kind, id, parameters) {
    this.path = `/${kind}/${encodeURIComponent(id)}`;
    this.linkOf = (job) => link("job", [kind, id, job]);
    this.filter = { state: parameters.state ?? "", q: parameters.q ?? "" };
    this.title = h("h1", {}, "…");
    this.tags = h("div", { class: "tags" });
    this.actions = h("div", { class: "actions" });
    this.states = h("div", { class: "job-states large" });
    this.workers = h("div", {});
    this.times = h("div", { class: "pair" });
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
          h("div", {}, section("Workers", this.workers), section("Times", this.times)),
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
    const states = [["", "All states"], ...JOB_STATES.map(([state]) => [state, state])];
    this.bulk = h("span", { class: "bulk" });
    return h(
      "div",
      { class: "toolbar" },
      choice("State", states, this.filter.state, (state) => this.#change({ state })),
      filterField("Filter by label or error", this.filter.q, (q) => this.#change({ q })),
      this.bulk,
    );
  }

  #change(changes) {
    Object.assign(this.filter, changes);
    setParameters(this.filter);
    this.jobs.rows.restart();
  }

  #jobs(store) {
    return table({
      label: "Jobs",
      store,
      every: 1000,
      columns: [
        {
          title: "Job",
          width: "minmax(100px, 1.6fr)",
          cell: (job) => job.label ?? String(job.id),
        },
        {
          title: "State",
          width: "110px",
          small: "92px",
          cell: (job) => tag(job.state, toneOf(job.state)),
        },
        {
          title: "Attempt",
          width: "80px",
          wide: true,
          number: true,
          cell: (job) => (job.attempts ? `${job.attempt} of ${job.attempts}` : job.attempt),
        },
        {
          title: "Last error",
          width: "minmax(100px, 1.6fr)",
          wide: true,
          cell: (job) => job.error ?? "",
        },
        {
          title: "",
          width: "124px",
          small: "132px",
          cell: (job) => this.#jobButtons(job),
        },
      ],
      fetchPage: (offset, limit, signal) =>
        this.#page(get(`${this.path}/jobs`, { ...this.filter, offset, limit }, { signal })),
      key: (job) => job.id,
      href: (job) => this.linkOf(job.id),
      empty: () =>
        empty(
          this.filter.state || this.filter.q ? "No job is like this" : "No job waits, runs or is dead",
          this.filter.state || this.filter.q
            ? "Another filter shows more."
            : "Jobs are here as long as they are kept.",
        ),
    });
  }

  async #page(answer) {
    const { total, items } = await answer;
    return { total, items: items.map(answers.job) };
  }

  #jobButtons(job) {
    const texts = { retry: "Retry", drop: "Drop", cancel: "Cancel" };
    return h(
      "span",
      { class: "row-actions" },
      job.actions.map((action) =>
        button(
          texts[action] ?? action,
          () => this.#perform(action, `${this.path}/jobs/${job.id}/${action}`, `job ${job.label ?? job.id}`),
          { small: true },
        ),
      ),
    );
  }

  async #perform(action, path, subject, body) {
    await perform(action, path, subject, body);
    this.jobs.rows.reload();
    this.refresher.now();
  }

  async #load(signal) {
    const pool = answers.pool(await get(this.path, {}, { signal }));
    this.pool = pool;
    setText(this.title, pool.path);
    replace(
      this.tags,
      pool.durable && tag("durable", "info"),
      pool.paused && tag("paused", "warn"),
      pool.rate && tag(pool.rate),
    );
    replace(this.states, jobFigures(pool.jobs));
    this.#showActions(pool);
    this.#showBulk(pool);
    this.#showWorkers(pool);
    const stats = pool.stats ?? {};
    replace(
      this.times,
      h(
        "div",
        {},
        h("h3", {}, "Waited before the start"),
        histogram(pool.wait_times, "Waiting times"),
        h("p", { class: "sub" }, times(stats.wait_p50, stats.wait_p99)),
      ),
      h(
        "div",
        {},
        h("h3", {}, "Attempts took"),
        histogram(pool.run_times, "Running times"),
        h("p", { class: "sub" }, times(stats.work_p50, stats.work_p99)),
      ),
    );
  }

  #showActions(pool) {
    const allowed = pool.can ?? ACTIONS.map(([action]) => action);
    const shown = ACTIONS.filter(
      ([action]) =>
        allowed.includes(action) &&
        (action !== "resume" || pool.paused) &&
        (action !== "pause" || !pool.paused),
    );
    const key = shown.join();
    if (this.shown === key) return;
    this.shown = key;
    replace(
      this.actions,
      shown.map(([action, text]) => button(text, () => this.#act(action))),
    );
  }

  async #act(action) {
    if (action === "resize") await resize(this.path, this.pool.path, this.pool.wanted);
    else await perform(action, `${this.path}/${action}`, this.pool.path);
    this.refresher.now();
  }

  #showBulk({ jobs }) {
    const dead = jobs?.dead ?? 0;
    const key = dead > 0 ? "some" : "none";
    if (this.bulkShown === key) return;
    this.bulkShown = key;
    replace(
      this.bulk,
      dead > 0 && [
        button("Retry dead jobs", () => this.#bulk("retry"), { small: true }),
        button("Drop dead jobs", () => this.#bulk("drop"), {
          small: true,
          tone: "bad",
        }),
      ],
    );
  }

  /// Retries or drops the dead jobs whose error has the text of the filter, or all.
  async #bulk(action) {
    const text = this.filter.q;
    const which = text
      ? `the dead jobs whose error has “${text}”`
      : `all ${count(this.pool.jobs.dead)} dead jobs`;
    const verb = action === "retry" ? "Retry" : "Drop";
    if (
      !(await confirm(
        `${verb} ${which}?`,
        action === "retry" ? "Each begins again with its first attempt." : "They are removed for good.",
        verb,
        action === "drop" ? "bad" : "accent",
      ))
    )
      return;
    await send(
      `${this.path}/dead-jobs/${action}`,
      { filter: { error_contains: text } },
      `${verb === "Drop" ? "Dropped" : "Retried"} ${which}`,
    );
    this.jobs.rows.reload();
    this.refresher.now();
  }

  #showWorkers(pool) {
    const list = this.workers.list ?? h("div", { class: "workers" });
    if (!this.workers.list) {
      this.dots = h("div", { class: "worker-dots" });
      replace(this.workers, this.dots, list);
      this.workers.list = list;
    }
    replace(this.dots, workerDots(pool.stats?.workers));
    reconcile(list, pool.workers.slice(0, 200), {
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
        setText(name, `worker ${worker.id}`);
        setCountdown(state, stateOf(worker), worker.retry_in_millis);
        setText(
          more,
          worker.busy_millis === null
            ? `incarnation ${worker.incarnation}`
            : `busy ${duration(worker.busy_millis)}, incarnation ${worker.incarnation}`,
        );
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

function times(median, high) {
  return median ? `${duration(median)} median, ${duration(high)} 99th percentile` : short(null);
}
