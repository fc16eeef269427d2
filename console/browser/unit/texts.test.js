import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { attempts, overview } from "../../assets/answers.js";
import {
  atLeast,
  countdown,
  duration,
  millis,
  reasonText,
  restartsLeft,
  short,
} from "../../assets/format.js";
import { density, join } from "../../assets/parts/chart.js";
import { layout, rank } from "../../assets/parts/graph.js";
import { JOB_STATES } from "../../assets/parts/job.js";
import { stateOf } from "../../assets/parts/mark.js";
import { link, parse } from "../../assets/router.js";

test("durations have one or two units", () => {
  const texts = [0, 0.02, 0.4, 12, 1234, 12_345, 59_700, 184_000, 7_500_000, 273_600_000].map(duration);
  assert.deepEqual(texts, [
    "0 ms",
    "20 µs",
    "0.4 ms",
    "12 ms",
    "1.2 s",
    "12 s",
    "1 min",
    "3 min 4 s",
    "2 h 5 min",
    "3 d 4 h",
  ]);
  assert.equal(millis({ secs: 1, nanos: 500_000_000 }), 1500);
  assert.deepEqual([countdown(951), countdown(-1), countdown(61_000)], ["1.0 s", "now", "1 min 1 s"]);
});

test("numbers and reasons are short", () => {
  assert.deepEqual([short(9999), short(12_345), short(4_500_000)], ["9,999", "12.3k", "4.5M"]);
  assert.deepEqual([atLeast(3, 0), atLeast(3, 1)], ["3", "3+"]);
  assert.equal(restartsLeft(4294967295), "any number of restarts left");
  assert.equal(restartsLeft(1), "1 restart left");
  assert.equal(reasonText({ kind: "panicked", message: "out of bounds" }), "panicked: out of bounds");
});

test("address of a view is read as it was written", () => {
  const address = link("job", ["mails/late %", 7], { q: "a&b", empty: "" });
  assert.deepEqual(parse(address), {
    view: "job",
    rest: ["mails/late %", "7"],
    parameters: { q: "a&b" },
  });
  assert.deepEqual(parse("#/actor/%").rest, ["%"]);
  assert.equal(parse("").view, "tree");
});

test("state of a node names what is worse than running", () => {
  const node = {
    state: "running",
    gave_up: false,
    suspended: false,
    pid: {},
    incarnation: 1,
    restart: "permanent",
  };
  const states = [
    {},
    { suspended: true },
    { state: "restarting", retry_in_millis: 100 },
    { state: "restarting", retry_in_millis: null },
    { gave_up: true },
    { gave_up: true, state: "stopped" },
    { state: "stopped", pid: null },
    { state: "stopped", pid: null, restart: "temporary" },
  ].map((change) => stateOf({ ...node, ...change }));
  assert.deepEqual(states, [
    "running",
    "suspended",
    "backing_off",
    "restarting",
    "escalating",
    "gave_up",
    "down",
    "stopped",
  ]);
});

test("steps of a job are joined to attempts, with the failures of the last ones", () => {
  const timeline = [
    { at_millis: 1, kind: "submitted" },
    { at_millis: 2, kind: { started: { worker: 4, incarnation: 1 } } },
    { at_millis: 5, kind: { retried: { cause: "error" } } },
    { at_millis: 7, kind: { started: { worker: 4, incarnation: 2 } } },
    { at_millis: 9, kind: { ended: { state: "dead" } } },
    { at_millis: 12, kind: { started: { worker: 5, incarnation: 1 } } },
  ];
  const found = attempts(timeline, ["first", "second"]);
  assert.deepEqual(
    found.map(({ number, outcome, error, ended_at_millis }) => [number, outcome, error, ended_at_millis]),
    [
      [1, "error", "first", 5],
      [2, "dead", "second", 9],
      [3, "running", null, null],
    ],
  );
});

test("states of jobs are those that the server knows", async () => {
  const { components } = JSON.parse(await readFile(new URL("../../openapi.json", import.meta.url), "utf8"));
  assert.deepEqual(JOB_STATES, components.schemas.JobState.enum);
});

test("health of several trees is that of the worst", () => {
  const health = [
    { tree: "a", status: "ready", text: "ready" },
    { tree: "b", status: "not_ready", text: "not ready: b/db is restarting" },
  ];
  const { status, reasons } = overview({ health, deadlocks: [], troubled: [] }).health;
  assert.deepEqual([status, reasons], ["not_ready", ["b: not ready: b/db is restarting"]]);
});

test("charts count every event and every measurement once", () => {
  const events = [0, 10, 99, 100].map((at_millis) => ({ at_millis }));
  const counts = density(events, { from: 0, to: 100, columns: 10, laneOf: () => "all", lanes: ["all"] });
  assert.deepEqual(counts.all, [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
  const bars = Array.from({ length: 50 }, (_, index) => [index, 1]);
  const joined = join(bars, 24);
  assert.ok(joined.length <= 24);
  assert.equal(
    joined.reduce((sum, [, number]) => sum + number, 0),
    50,
  );
});

test("graph gives every node a place, on a cycle or before what it waits for", () => {
  const edges = [
    { from: 1, to: 2 },
    { from: 2, to: 1 },
    { from: 3, to: 4 },
    { from: 4, to: 5 },
    { from: 5, to: 3 },
  ];
  const { nodes } = layout([1, 2, 3, 4, 5], edges, [[1, 2]]);
  assert.equal(nodes.size, 5);
  assert.equal(new Set([...nodes.values()].map(({ x, y }) => `${x} ${y}`)).size, 5);
  assert.deepEqual(
    [
      ...rank(
        [1, 2, 3],
        [
          { from: 1, to: 2 },
          { from: 2, to: 3 },
        ],
      ).values(),
    ],
    [0, 1, 2],
  );
});
