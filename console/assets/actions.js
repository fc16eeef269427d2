// Actions: asked before, done by the server, told after.

import { post, token } from "./api.js";
import { counted } from "./format.js";
import { askFor, askForToken, confirm } from "./parts/dialog.js";
import { toast } from "./parts/toast.js";

/// The verb of each action and its past. One that ends something has a question before it: what it
/// does, and the text of the button if the verb alone would be misread.
const ACTIONS = {
  stop: [
    "Stop",
    "Stopped",
    "It handles the message that it has begun, and ends. Its supervisor decides whether it comes back.",
  ],
  kill: ["Kill", "Killed", "It ends at its next await. The message that it handles is lost."],
  restart: ["Restart", "Restarted", "It is stopped, and its supervisor starts it again."],
  suspend: ["Suspend", "Suspended"],
  resume: ["Resume", "Resumed"],
  pause: ["Pause", "Paused"],
  "rolling-restart": [
    "Restart",
    "Restarted",
    "Each worker is restarted when it has finished its job, so that the pool goes on working.",
  ],
  drain: ["Drain", "Drained"],
  retry: ["Retry", "Retried"],
  drop: ["Drop", "Dropped", "The job is removed for good."],
  cancel: ["Cancel", "Cancelled", "It is not tried again.", "Cancel the job"],
};

/// Does an action to what is at a path of the API. `subject` names it.
export async function perform(action, path, subject, body = {}) {
  const [verb, past, text, button = verb] = ACTIONS[action];
  if (text && !(await confirm(`${verb} ${subject}?`, text, button))) return;
  await send(`${path}/${action}`, body, [verb, past, subject]);
}

/// Sends an action and tells how it went. Asks for the token if it is missing.
export async function send(path, body, [verb, past, subject]) {
  try {
    const { done, count, detail } = await post(path, body);
    const more = count === null ? detail : counted(count, "job");
    const text = `${done ? past : verb} ${subject}`;
    toast(more === null ? text : `${text}: ${more}`, { tone: done ? "ok" : "info" });
  } catch (error) {
    if (error.status === 401) await unauthorized(path, body, [verb, past, subject]);
    else toast(`Not done: ${error.message}`, { tone: "bad" });
  }
}

async function unauthorized(path, body, words) {
  const value = await askForToken(token() ? "The console was started with another token." : undefined);
  if (value === null) return;
  document.dispatchEvent(new CustomEvent("token"));
  await send(path, body, words);
}

/// Asks for the text of a debug message and sends it.
export async function sendDebug(identity, subject) {
  const text = await askFor(`Debug message to ${subject}`, "Text", {
    text: "The program turns the text into a message of this actor.",
  });
  if (text !== null) await send(`/processes/${identity}/debug`, { text }, ["Send to", "Sent to", subject]);
}

/// Sends a dead letter again, to the actor that lost it.
export async function resend({ id, label }) {
  await send(`/dead-letters/${id}/resend`, {}, ["Send again to", "Sent again to", label]);
}

/// Asks for the size of a pool and sets it.
export async function resize(path, subject, wanted) {
  const size = await askFor(`Resize ${subject}`, "Workers", {
    type: "number",
    min: "0",
    max: "100000",
    value: String(wanted),
    verb: "Resize",
  });
  if (size !== null) await send(`${path}/resize`, { size: Number(size) }, ["Resize", "Resized", subject]);
}
