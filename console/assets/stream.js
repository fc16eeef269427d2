// The stream of events: it reconnects by itself and resumes after the last event that it has seen.

import { SseParser } from "./sse.js";

/// The longest silence. The server writes a comment each 15 seconds.
const SILENCE = 40_000;
const FIRST_DELAY = 250;
const LONGEST_DELAY = 10_000;

/// Returns the delay before attempt number `attempt`, from 0: it doubles, up to ten seconds. A
/// random half of it keeps many pages from coming back together.
export function backoff(attempt, random = Math.random) {
  const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 20));
  return full / 2 + (random() * full) / 2;
}

/// A stream of server-sent events that outlives its connections.
///
/// `on` is called with `{ type, data, id }` for each event, and `status` with `connecting`, `live`
/// or `waiting`, and the time of the next attempt.
export class EventStream {
  #abort = null;
  #attempt = 0;
  #wake = null;
  #closed = false;
  #silence = null;

  constructor({
    url,
    on,
    status,
    lastId = null,
    fetch = globalThis.fetch.bind(globalThis),
    delay = backoff,
  }) {
    Object.assign(this, { url, on, status, lastId, fetch, delay });
  }

  /// Connects, and connects again until it is closed.
  async run() {
    while (!this.#closed) {
      this.status("connecting");
      await this.#connection().catch(() => {});
      if (this.#closed) return;
      const wait = this.delay(this.#attempt++);
      this.status("waiting", Date.now() + wait);
      await this.#sleep(wait);
    }
  }

  /// Connects at once instead of at the end of the delay.
  retry() {
    this.#attempt = 0;
    this.#wake?.();
  }

  /// Ends the connection and makes no other.
  close() {
    this.#closed = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #connection() {
    this.#abort = new AbortController();
    const headers = { Accept: "text/event-stream" };
    if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
    this.#listen();
    try {
      const answer = await this.fetch(this.url, {
        headers,
        signal: this.#abort.signal,
        cache: "no-store",
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.#attempt = 0;
      this.status("live");
      await this.#read(answer.body.getReader());
    } finally {
      clearTimeout(this.#silence);
    }
  }

  async #read(reader) {
    const parser = new SseParser();
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#listen();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        this.on(event);
        if (event.id !== null) this.lastId = event.id;
      }
    }
  }

  /// Ends a connection over which nothing comes any more.
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#abort?.abort(), SILENCE);
  }

  #sleep(wait) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
