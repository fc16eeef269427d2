// What a job shows in a list and on its own page: its state, its name, and what may be done to it.

import { button, tag } from "./small.js";
import { perform } from "../actions.js";

/// The tones of the states.
const TONES = {
  queued: "info",
  delayed: "violet",
  running: "ok",
  done: "muted",
  dead: "bad",
  expired: "muted",
  cancelled: "muted",
  dropped: "muted",
};

export const JOB_STATES = Object.keys(TONES);

/// What may be done to a job in a state.
const ACTIONS = {
  dead: { retry: "Retry", drop: "Drop" },
  queued: { cancel: "Cancel" },
  delayed: { cancel: "Cancel" },
  running: { cancel: "Cancel" },
};

/// The state of a job.
export function stateTag({ state }) {
  return tag(state, TONES[state]);
}

/// The buttons of a job at a path of the API. `changed` is called after an action.
export function jobButtons(job, path, changed, { small } = {}) {
  const run = async (action) => {
    await perform(action, path, `job ${job.text ?? job.id}`);
    changed();
  };
  return Object.entries(ACTIONS[job.state] ?? {}).map(([action, text]) =>
    button(text, () => run(action), { small, tone: action === "drop" && !small ? "bad" : "" }),
  );
}
