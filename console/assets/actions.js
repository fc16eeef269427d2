// Actions: asked before, done by the server, told after.

import { act } from "./api.js";
import { counted } from "./format.js";
import { askFor, askForToken, confirm } from "./parts/dialog.js";
import { toast } from "./parts/toast.js";

/// What is asked before an action that ends something.
const QUESTIONS = {
  stop: [
    "Stop",
    "It handles the message that it has begun, and ends. Its supervisor decides whether it comes back.",
  ],
  kill: ["Kill", "It ends at its next await. The message that it handles is lost."],
  restart: ["Restart", "It is stopped, and its supervisor starts it again."],
  drop: ["Drop", "The job is removed for good."],
  cancel: ["Cancel the job", "It is not tried again."],
  "rolling-restart": [
    "Restart all workers",
    "Each worker is restarted when it has finished its job, so that the pool goes on working.",
  ],
  drain: ["Drain", "No job is accepted any more. What is queued is worked off."],
};

/// Does an action at a path of the API. `subject` names what it is done to. Resolves with the answer,
/// or with `null` if it was not done.
export async function perform(action, path, subject, body = {}) {
  const question = QUESTIONS[action];
  if (question && !(await confirm(`${question[0]} ${subject}?`, question[1], question[0]))) return null;
  return send(path, body, `${pastOf(action)} ${subject}`);
}

/// Sends an action and tells how it went. Asks for the token if it is missing.
export async function send(path, body, done) {
  try {
    const answer = await act(path, body);
    toast(
      answer.message ?? (answer.count === undefined ? done : `${done}: ${counted(answer.count, "job")}`),
      { tone: "ok" },
    );
    return answer;
  } catch (error) {
    if (error.status === 401) return unauthorized(path, body, done, error);
    toast(`Not done: ${error.message}`, { tone: "bad" });
    return null;
  }
}

async function unauthorized(path, body, done, error) {
  const value = await askForToken(`${error.message} Enter the token with which the console was started.`);
  if (value === null) return null;
  document.dispatchEvent(new CustomEvent("token"));
  return send(path, body, done);
}

const PAST = {
  stop: "Stopped",
  kill: "Killed",
  suspend: "Suspended",
  resume: "Resumed",
  restart: "Restarted",
  pause: "Paused",
  drain: "Draining",
  retry: "Retried",
  drop: "Dropped",
  cancel: "Cancelled",
  resize: "Resized",
  "rolling-restart": "Restarting the workers of",
  "send-again": "Sent again to",
  debug: "Sent to",
};

function pastOf(action) {
  return PAST[action] ?? `Done: ${action}`;
}

/// Asks for the text of a debug message and sends it.
export async function sendDebug(identity, subject) {
  const text = await askFor(`Debug message to ${subject}`, "Text", {
    text: "The program turns the text into a message of this actor.",
  });
  return text === null ? null : send(`/processes/${identity}/debug`, { text }, `Sent to ${subject}`);
}

/// Asks for the size of a pool and sets it.
export async function resize(path, subject, wanted) {
  const text = await askFor(`Resize ${subject}`, "Workers", {
    type: "number",
    min: "0",
    max: "100000",
    value: String(wanted),
    verb: "Resize",
  });
  return text === null ? null : send(`${path}/resize`, { size: Number(text) }, `Resized ${subject}`);
}
