import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ApiError } from "../../assets/api.js";
import { Refresher } from "../../assets/refresh.js";
import { Store } from "../../assets/store.js";

/// Lets the promises of a load resolve.
async function pass(milliseconds) {
  for (let step = 0; step < milliseconds; step += 10) {
    mock.timers.tick(10);
    for (let turn = 0; turn < 5; turn += 1) await null;
  }
}

test("event is followed by a load at once, and by one that is fresh for certain", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const loads = [];
  const store = new Store();
  const refresher = new Refresher(async () => loads.push(Date.now()), { store, every: 2000, gap: 250 });
  await pass(1000);
  assert.deepEqual(loads, [0]);
  store.addEvent({ sequence: 1 });
  await pass(1000);
  assert.deepEqual(loads, [0, 1010, 1300]);
  // Without an event the next load is that of the period.
  await pass(1400);
  assert.deepEqual(loads.slice(3), [3300]);
  refresher.stop();
  store.addEvent({ sequence: 2 });
  await pass(5000);
  assert.equal(loads.length, 4);
  mock.timers.reset();
});

test("storm of events causes a load in each gap, and never two at once", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const store = new Store();
  let [running, most, loads] = [0, 0, 0];
  const load = async () => {
    loads += 1;
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    running -= 1;
  };
  const refresher = new Refresher(load, { store, every: 2000, gap: 250 });
  for (let sequence = 1; sequence <= 200; sequence += 1) {
    store.addEvent({ sequence });
    await pass(10);
  }
  assert.equal(most, 1);
  assert.ok(loads >= 7 && loads <= 9, `${loads} loads in two seconds`);
  refresher.stop();
  mock.timers.reset();
});

test("load that fails is told, and tried again", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const failures = [];
  let loads = 0;
  const load = async () => {
    loads += 1;
    if (loads === 1) throw new ApiError(0, "unreachable", "no answer");
  };
  const refresher = new Refresher(load, { every: 500, failed: (error) => failures.push(error.message) });
  await pass(1200);
  assert.deepEqual([failures, loads], [["no answer"], 3]);
  refresher.stop();
  mock.timers.reset();
});
