import assert from "node:assert/strict";
import test from "node:test";
import { backoff, EventStream } from "../../assets/stream.js";
import { feed, Store } from "../../assets/store.js";

/// A server whose connections end after the events that are given for each. `null` is one that
/// refuses.
function server(connections) {
  const asked = [];
  const fetch = async (_url, { headers }) => {
    asked.push(headers["Last-Event-ID"] ?? null);
    const events = connections.shift();
    if (!events) throw new Error("refused");
    const body = new ReadableStream({
      start(controller) {
        for (const text of events) controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      },
    });
    return new Response(body, { status: 200 });
  };
  return { asked, fetch };
}

const event = (sequence, boot = "b") =>
  `id: ${boot}-${sequence}\nevent: event\ndata: ${JSON.stringify({ sequence, kind: {} })}\n\n`;

/// Runs a stream until its server has no connection left.
async function run(connections, { lastId = null } = {}) {
  const store = new Store();
  const reloads = [];
  const left = [...connections];
  const { asked, fetch } = server(left);
  const states = [];
  const take = feed(store, { reload: () => reloads.push(store.sequence) });
  const stream = new EventStream({
    url: "/",
    lastId,
    fetch,
    on: take,
    status: (state) => states.push(state),
    delay: () => {
      if (left.length === 0) stream.close();
      return 0;
    },
  });
  await stream.run();
  return { store, asked, states, reloads };
}

test("stream resumes after the last event that it has seen", async () => {
  const { store, asked } = await run([[event(1), event(2)], null, [event(3)]], { lastId: "b-0" });
  assert.deepEqual(asked, ["b-0", "b-2", "b-2"]);
  assert.deepEqual(
    store.events.map((each) => each.sequence),
    [1, 2, 3],
  );
});

test("event that was cut off is asked for again", async () => {
  const cut = event(2).slice(0, -1);
  const { store, asked } = await run([[event(1), cut], [event(2)]]);
  assert.deepEqual(asked, [null, "b-1"]);
  assert.deepEqual(
    store.events.map((each) => each.sequence),
    [1, 2],
  );
});

test("event that comes twice is kept once", async () => {
  const { store } = await run([
    [event(1), event(2)],
    [event(2), event(3)],
  ]);
  assert.deepEqual(
    store.events.map((each) => each.sequence),
    [1, 2, 3],
  );
});

test("another process forgets what was known and loads anew", async () => {
  const reset = `id: c-7\nevent: reset\ndata: ${JSON.stringify({ boot: "c", sequence: 7 })}\n\n`;
  const { store, asked, reloads } = await run([[event(20)], [reset, event(8, "c")], []]);
  assert.deepEqual(asked, [null, "b-20", "c-8"]);
  assert.deepEqual(reloads, [7]);
  assert.deepEqual(
    store.events.map((each) => each.sequence),
    [8],
  );
});

test("events that were missed are counted", async () => {
  const { store } = await run([['event: missed\ndata: {"missed":12}\n\n', event(13)]]);
  assert.equal(store.missed, 12);
});

test("delay doubles up to ten seconds and is half random", () => {
  assert.equal(
    backoff(0, () => 1),
    250,
  );
  assert.equal(
    backoff(3, () => 1),
    2000,
  );
  assert.equal(
    backoff(3, () => 0),
    1000,
  );
  assert.equal(
    backoff(500, () => 1),
    10_000,
  );
});
