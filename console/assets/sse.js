// The format of server-sent events: from chunks of text to events.

/// Reads chunks of text and returns the events that are complete. A chunk may end anywhere.
export class SseParser {
  #rest = "";
  #event = fresh();
  /// The id of the last event that was complete.
  lastId = null;

  /// Takes a chunk. Returns the events `{ type, data, id }` that it completes.
  push(chunk) {
    const events = [];
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line) {
    if (line === "") return this.#complete();
    // A comment: the server says that the connection is alive.
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#event.data.push(value);
    else if (field === "event") this.#event.type = value;
    else if (field === "id") this.#event.id = value;
    return null;
  }

  #complete() {
    const { type, data, id } = this.#event;
    this.#event = fresh();
    if (id !== null) this.lastId = id;
    return data.length > 0 ? { type, data: data.join("\n"), id } : null;
  }
}

function fresh() {
  return { type: "message", data: [], id: null };
}
