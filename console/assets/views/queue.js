// One durable queue: its jobs in a state, a part at a time.

import { get } from "../api.js";
import { perform } from "../actions.js";
import { count, moment } from "../format.js";
import { h, reconcile, replace, setText } from "../dom.js";
import { button, choice, empty, heading, tag } from "../parts/small.js";
import { DURABLE_STATES, durableButtons, durableFigures, durableTag } from "../parts/durable.js";
import { Refresher } from "../refresh.js";
import { link, setParameters } from "../router.js";

/// The number of jobs of a part.
const PART = 50;

export function mount(root, { store, rest, parameters }) {
  return new QueueView(root, store, rest, parameters);
}

class QueueView {
  constructor(root, store, [name, queue], parameters) {
    Object.assign(this, { name, queue });
    this.path = `/stores/${encodeURIComponent(name)}`;
    /// The jobs after which the parts up to this one begin.
    this.parts = [parameters.after ?? null];
    this.state = parameters.state ?? "";
    this.tags = h("span", { class: "tags" });
    this.actions = h("div", { class: "actions" });
    this.states = h("div", { class: "job-states large" });
    this.list = h("ol", { class: "durable-jobs" });
    this.note = h("div", {});
    this.told = h("span", { class: "sub" });
    this.turns = h("span", { class: "bulk" });
    const states = [["", "All states"], ...DURABLE_STATES.map((state) => [state, state])];
    const back = h("a", { class: "button", href: link("queues") }, "All queues");
    replace(
      root,
      h(
        "div",
        { class: "page" },
        heading(queue, `A durable queue of the store ${name}`, this.tags, this.actions, back),
        this.states,
        h(
          "div",
          { class: "toolbar queue-bar" },
          choice("State", states, this.state, (state) => this.#show(state)),
          this.told,
          this.turns,
        ),
        this.note,
        this.list,
      ),
    );
    this.refresher = new Refresher((signal) => this.#load(signal), {
      store,
      every: 2000,
      failed: (error) => this.#fail(error),
    });
  }

  async #load(signal) {
    const after = this.parts.at(-1);
    const filter = { state: this.state, after, limit: PART };
    const page = await get(`${this.path}/queues/${encodeURIComponent(this.queue)}/jobs`, filter, { signal });
    this.#showQueue(page.queue);
    this.#showJobs(page);
  }

  #showQueue({ jobs, paused }) {
    replace(this.tags, paused && tag("paused", "warn"));
    replace(
      this.states,
      durableFigures(jobs, (state) => link("queue", [this.name, this.queue], { state })),
    );
    const action = paused ? "resume" : "pause";
    const title = paused ? "Jobs start again." : "No job starts until the queue is resumed.";
    const run = async () => {
      await perform(action, `${this.path}/queues/${encodeURIComponent(this.queue)}`, this.queue);
      this.refresher.now();
    };
    replace(this.actions, button(paused ? "Resume" : "Pause", run, { title }));
  }

  #showJobs({ total, items, next }) {
    const jobs = total === 1 ? "job" : "jobs";
    setText(this.told, `${count(total)} ${jobs}, the oldest first`);
    const turn = (text, parts) => button(text, () => this.#turn(parts), { small: true });
    replace(
      this.turns,
      this.parts.at(-1) !== null && turn("First", [null]),
      this.parts.length > 1 && turn("Back", this.parts.slice(0, -1)),
      next !== null && turn("Next", [...this.parts, next]),
    );
    replace(
      this.note,
      items.length === 0 &&
        empty(
          this.state ? `No job is ${this.state}` : "The queue is empty",
          "Jobs are here as long as the store keeps them.",
        ),
    );
    reconcile(this.list, items, {
      key: ({ id }) => id,
      create: (job) => this.#row(job),
      update: (row, job) => this.#update(row, job),
    });
  }

  #row({ id }) {
    return h(
      "li",
      { class: "durable-job" },
      h("a", { class: "row-link", href: link("durable-job", [this.name, id]) }),
      h("span", { class: "tags" }),
      h("span", { class: "row-actions" }),
      h("p", { class: "sub" }),
      h("p", { class: "attempt-error" }),
    );
  }

  #update(row, job) {
    const [name, tags, actions, line, error] = row.children;
    setText(name, `${job.id}  ${job.text}`);
    replace(tags, durableTag(job));
    const changed = () => this.refresher.now();
    replace(actions, durableButtons(job, `${this.path}/jobs/${job.id}`, changed, { small: true }));
    const attempt = job.attempt === 0 ? "no attempt yet" : `attempt ${job.attempt}`;
    setText(line, `${attempt} · submitted ${moment(job.submitted_at_millis)}`);
    setText(error, job.error ?? "");
  }

  #show(state) {
    this.state = state;
    this.#turn([null]);
  }

  #turn(parts) {
    this.parts = parts;
    setParameters({ state: this.state, after: parts.at(-1) });
    this.refresher.now();
  }

  #fail(error) {
    setText(this.told, "");
    replace(this.turns);
    this.list.reconciled = undefined;
    replace(this.list);
    const title = error.status === 404 ? "The console has no such store" : "The jobs are not known";
    replace(this.note, empty(title, error.message));
  }

  stop() {
    this.refresher.stop();
  }
}
