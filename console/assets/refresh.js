// Keeps a view up to date: at once, after events, and from time to time for what changes without.

import { ApiError } from "./api.js";

/// The age that an answer may have: the server takes at most one snapshot in a quarter of a second.
const AGE = 300;

/// Loads again and again, one load at a time.
export class Refresher {
  #timer = null;
  #running = false;
  #again = false;
  #stopped = false;
  /// When the last load began, and when one has to begin that has the last event for certain.
  #last = 0;
  #fresh = 0;
  #abort = new AbortController();
  #leave = [];

  /// `load` gets a signal that ends its requests. `every` is the time between two loads without
  /// events, `gap` the least time between two.
  constructor(load, { store = null, every = 2000, gap = 250, failed = () => {} }) {
    Object.assign(this, { load, every, gap, failed });
    if (store) this.#leave = ["events", "reset"].map((topic) => store.on(topic, () => this.soon()));
    if (globalThis.document) {
      const seen = () => document.hidden || this.soon();
      document.addEventListener("visibilitychange", seen);
      this.#leave.push(() => document.removeEventListener("visibilitychange", seen));
    }
    this.now();
  }

  /// Loads as soon as the least time since the last load is over, and once more if what is loaded
  /// then may be older than this moment.
  soon() {
    this.#fresh = Date.now() + AGE;
    this.#plan(Math.max(0, this.gap - (Date.now() - this.#last)));
  }

  /// Loads now, or after the load that runs.
  async now() {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    this.#last = Date.now();
    try {
      await this.load(this.#abort.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(error);
    }
    this.#running = false;
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#plan(this.#again ? 0 : this.#next());
    this.#again = false;
  }

  #fail(error) {
    // Any other error is one of the page itself.
    if (!(error instanceof ApiError)) console.error(error);
    this.failed(error);
  }

  #next() {
    if (this.#last >= this.#fresh) return this.every;
    return Math.max(this.#fresh - Date.now(), this.gap - (Date.now() - this.#last), 0);
  }

  #plan(wait) {
    if (this.#stopped) return;
    const at = Date.now() + wait;
    if (this.#timer !== null && this.at <= at) return;
    clearTimeout(this.#timer);
    this.at = at;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // A page that is not looked at asks for nothing.
      if (globalThis.document?.hidden) this.#plan(this.every);
      else this.now();
    }, wait);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    for (const leave of this.#leave) leave();
  }
}
