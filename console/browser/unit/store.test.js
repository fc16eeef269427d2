import assert from "node:assert/strict";
import test from "node:test";
import { isCrash, Store } from "../../assets/store.js";

const event = (sequence) => ({ sequence, at_millis: sequence, kind: {} });
const ended = (kind) => ({ sequence: 1, kind: { ended: { pid: {}, label: "a", reason: { kind } } } });

test("store keeps the latest events", () => {
  const store = new Store();
  for (let sequence = 1; sequence <= 2500; sequence += 1) store.addEvent(event(sequence));
  assert.deepEqual([store.events.length, store.events[0].sequence, store.sequence], [2000, 501, 2500]);
});

test("history comes before what the stream has brought, without the same twice", () => {
  const store = new Store();
  store.addEvent(event(5));
  store.addHistory([event(3), event(4), event(5)]);
  assert.deepEqual(
    store.events.map((each) => each.sequence),
    [3, 4, 5],
  );
  assert.equal(store.addEvent(event(4)), false);
});

test("listeners are told until they leave, and may leave while they are told", () => {
  const store = new Store();
  const told = [];
  const leave = store.on("event", ({ sequence }) => {
    told.push(sequence);
    leave();
  });
  store.on("event", ({ sequence }) => told.push(-sequence));
  store.addEvent(event(1));
  store.addEvent(event(2));
  assert.deepEqual(told, [1, -1, -2]);
});

test("kill and a failed check are no crashes, as in the library", () => {
  const crashes = ["panicked", "failed", "no_process", "no_connection", "other"];
  const others = ["normal", "shutdown", "ignore", "killed", "start_timed_out", "unresponsive"];
  assert.deepEqual(
    crashes.filter((kind) => !isCrash(ended(kind))),
    [],
  );
  assert.deepEqual(
    others.filter((kind) => isCrash(ended(kind))),
    [],
  );
  assert.equal(isCrash({ sequence: 1, kind: { started: {} } }), false);
});
