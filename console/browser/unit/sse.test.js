import assert from "node:assert/strict";
import test from "node:test";
import { SseParser } from "../../assets/sse.js";

const TEXT = 'id: b-1\nevent: event\ndata: {"a":1}\n\n: alive\n\nid: b-2\ndata: one\ndata: two\n\n';
const EVENTS = [
  { type: "event", data: '{"a":1}', id: "b-1" },
  { type: "message", data: "one\ntwo", id: "b-2" },
];

test("events are the same wherever the chunks end", () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const parser = new SseParser();
    const events = [];
    for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
    assert.deepEqual(events, EVENTS);
    assert.equal(parser.lastId, "b-2");
  }
});

test("event that is not complete is not given, and has no id yet", () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push("id: b-3\ndata: x\n"), []);
  assert.equal(parser.lastId, null);
  assert.deepEqual(parser.push("\n"), [{ type: "message", data: "x", id: "b-3" }]);
});

test("lines may end with a carriage return, and fields without a space", () => {
  const events = new SseParser().push("event:reset\r\ndata:{}\r\n\r\n");
  assert.deepEqual(events, [{ type: "reset", data: "{}", id: null }]);
});
