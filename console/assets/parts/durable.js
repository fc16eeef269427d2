// What a durable job shows in a list and on its own page, and its queue by the states of its jobs.

import { perform } from "../actions.js";
import { count, short } from "../format.js";
import { h } from "../dom.js";
import { button, tag } from "./small.js";

/// The tones of the states, in the order of the life of a job.
const TONES = {
  delayed: "violet",
  queued: "info",
  running: "ok",
  dead: "bad",
  unknown: "warn",
  completed: "muted",
  cancelled: "muted",
  expired: "muted",
};

export const DURABLE_STATES = Object.keys(TONES);

/// The states that are shown although no job is in them.
const ALWAYS = ["queued", "running", "dead", "completed"];

/// What a list offers for a job in a state. Its page has all that the state allows.
const IN_LIST = {
  dead: ["retry", "drop"],
  unknown: ["retry", "drop"],
  delayed: ["cancel"],
  queued: ["cancel"],
};

const VERBS = { retry: "Retry", cancel: "Cancel", drop: "Drop" };

export function durableTag({ state }) {
  return tag(state, TONES[state]);
}

/// The number of jobs in each state, each a link to them.
export function durableFigures(jobs, href) {
  const shown = DURABLE_STATES.filter((state) => jobs[state] > 0 || ALWAYS.includes(state));
  return shown.map((state) =>
    h(
      "a",
      { class: "figure", title: count(jobs[state]), href: href(state) },
      h(
        "span",
        { class: "figure-value", data: { tone: jobs[state] ? TONES[state] : "none" } },
        short(jobs[state]),
      ),
      h("span", { class: "figure-name" }, state),
    ),
  );
}

/// The buttons of a job at a path of the API. `changed` is called after an action.
export function durableButtons(job, path, changed, { small, actions = IN_LIST[job.state] ?? [] } = {}) {
  const run = async (action) => {
    await perform(action, path, `job ${job.id}`);
    changed();
  };
  return actions.map((action) =>
    button(VERBS[action] ?? action, () => run(action), {
      small,
      tone: action === "drop" && !small ? "bad" : "",
    }),
  );
}
