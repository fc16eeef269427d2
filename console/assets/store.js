// What the page knows: the session, the overview, the latest events and the connection.

/// The most events that are kept here. The server keeps more.
const KEPT = 2000;

/// The model of the page. It calls its listeners when something changes: `event` with each event,
/// `events` after several, `overview`, `session`, `connection`, `reset`.
export class Store {
  session = null;
  overview = null;
  connection = { state: "connecting", nextAt: null };
  /// The latest events, the oldest first.
  events = [];
  /// The number of the last event.
  sequence = 0;
  /// The events that this page was too slow for.
  missed = 0;
  #listeners = new Map();

  /// Calls `listener` when `topic` changes, until the returned function is called.
  on(topic, listener) {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  #tell(topic, value) {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener(value);
  }

  /// Takes an event. One that is known changes nothing.
  addEvent(event) {
    if (event.sequence <= this.sequence) return false;
    this.sequence = event.sequence;
    this.events.push(event);
    if (this.events.length > KEPT) this.events.splice(0, this.events.length - KEPT);
    this.#tell("event", event);
    this.#tell("events");
    return true;
  }

  /// Takes the events that the server has kept from before this page was opened.
  addHistory(events) {
    const first = this.events[0]?.sequence ?? Infinity;
    this.events = [...events.filter((event) => event.sequence < first), ...this.events].slice(-KEPT);
    this.sequence = Math.max(this.sequence, events.at(-1)?.sequence ?? 0);
    this.#tell("events");
  }

  addMissed(count) {
    this.missed += count;
    this.#tell("connection");
    this.#tell("events");
  }

  /// Forgets what was true of another process.
  reset(sequence) {
    this.events = [];
    this.missed = 0;
    this.sequence = sequence;
    this.#tell("reset");
    this.#tell("events");
  }

  setOverview(overview) {
    this.overview = overview;
    this.#tell("overview");
  }

  setSession(session) {
    this.session = session;
    this.#tell("session", session);
  }

  setConnection(state, nextAt = null) {
    this.connection = { state, nextAt };
    this.#tell("connection");
  }
}

const CRASHES = new Set(["panicked", "failed", "no_process", "no_connection", "other"]);

/// Returns whether an event is the crash of an actor: an abnormal end that neither a kill nor a
/// supervisor caused.
export function isCrash(event) {
  return CRASHES.has(event.kind.ended?.reason.kind);
}

/// Feeds a store from the stream of events. `reload` fetches what a new process has.
export function feed(store, { reload }) {
  return ({ type, data }) => {
    const value = JSON.parse(data);
    if (type === "event") store.addEvent(value);
    else if (type === "missed") store.addMissed(value.missed);
    else if (type === "reset") {
      store.reset(value.sequence);
      reload();
    }
  };
}
