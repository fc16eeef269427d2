// The state of a node as a shape, a word and a colour: no state is told by its colour alone.

import { countdown } from "../format.js";
import { h, s, setAttribute, setText } from "../dom.js";

/// The states: their word, their tone and the shape in a box of 16.
const MARKS = {
  running: ["running", "ok", [circle(5)]],
  starting: ["starting", "info", [ring(5), ["path", { d: "M8 3a5 5 0 0 1 0 10z" }]]],
  waiting: ["waiting", "muted", [ring(5), dot()]],
  restarting: ["restarting", "warn", turn()],
  backing_off: ["backing off", "warn", [ring(5.5), stroke("M8 4.8V8l2.3 1.7")]],
  stopping: ["stopping", "warn", [stroke("M3.5 8h9"), stroke("M9.5 5l3 3-3 3")]],
  stopped: ["stopped", "muted", [["rect", { x: 4, y: 4, width: 8, height: 8, rx: 1.5, class: "line" }]]],
  down: ["down", "bad", [["rect", { x: 3.5, y: 3.5, width: 9, height: 9, rx: 1.5 }]]],
  failed: ["failed", "bad", [stroke("M4 4l8 8M12 4l-8 8")]],
  gave_up: ["gave up", "bad", [["path", { d: "M8 2l6.5 12h-13z" }]]],
  escalating: ["escalating", "bad", [stroke("M8 13.5V3M3.8 7.2L8 3l4.2 4.2")]],
  suspended: [
    "suspended",
    "violet",
    [
      ["rect", { x: 4, y: 3.5, width: 3, height: 9, rx: 0.8 }],
      ["rect", { x: 9, y: 3.5, width: 3, height: 9, rx: 0.8 }],
    ],
  ],
};

function circle(r) {
  return ["circle", { cx: 8, cy: 8, r }];
}

function ring(r) {
  return ["circle", { cx: 8, cy: 8, r, class: "line" }];
}

function dot() {
  return ["circle", { cx: 8, cy: 8, r: 1.6 }];
}

function stroke(d) {
  return ["path", { d, class: "line" }];
}

function turn() {
  return [stroke("M12.8 8a4.8 4.8 0 1 1-1.4-3.4"), stroke("M12.6 1.8v3h-3")];
}

/// Returns the state of a node of the tree, of those above.
export function stateOf(node) {
  const state = node.state;
  if (node.gave_up) return state === "stopped" || state === "failed" ? "gave_up" : "escalating";
  if (state === "restarting") return node.retry_in_millis > 0 ? "backing_off" : "restarting";
  if (state === "running" && node.suspended) return "suspended";
  if (state === "stopped" && node.pid === null && node.incarnation > 0 && node.restart === "permanent")
    return "down";
  return state;
}

/// Returns the state of an actor that may be outside of a tree.
export function stateOfProcess(process) {
  if (process.phase === null) return "waiting";
  if (process.phase === "down") return process.retry_in_millis > 0 ? "backing_off" : "down";
  if (process.suspended) return "suspended";
  return process.is_starting ? "starting" : "running";
}

/// The column of a table with the states of actors.
export function stateColumn(sizes) {
  return {
    title: "State",
    ...sizes,
    show: (cell, process) => {
      const mark = cell.firstChild ?? cell.appendChild(h("span", { class: "mark" }));
      setMark(mark, stateOfProcess(process), process.retry_in_millis);
    },
  };
}

/// Makes a mark show a state, and count down to the start of the next incarnation.
export function setMark(element, state, retryInMillis) {
  const [word, tone, shape] = MARKS[state];
  if (element.dataset.state !== state) {
    element.dataset.state = state;
    element.dataset.tone = tone;
    const icon = s(
      "svg",
      { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" },
      shape.map(([tag, properties]) => s(tag, properties)),
    );
    element.replaceChildren(icon, h("span", {}, word), h("span", { class: "detail" }));
  }
  const isDue = state === "backing_off";
  setAttribute(element, "data-due", isDue ? Date.now() + retryInMillis : null);
  setText(element.lastChild, isDue ? countdown(retryInMillis) : "");
}

/// Counts all marks of the page down that have a time. One timer serves them.
export function countDown() {
  for (const element of document.querySelectorAll("[data-due]")) {
    const left = Number(element.dataset.due) - Date.now();
    setText(element.lastChild, countdown(left));
  }
}
