// The timeline: all events that are kept, by time. It can be set back to an earlier moment.

import { clock, counted } from "../format.js";
import { h, replace, s, setAttribute, setText } from "../dom.js";
import { button, choice, emptyList, filterField, heading } from "../parts/small.js";
import { describe, eventLine, laneOf, subjectOf } from "../parts/event.js";
import { density } from "../parts/chart.js";
import { visibleRows } from "../parts/window.js";
import { rowHeight } from "../parts/rows.js";
import { eventsAfter, save } from "../history.js";
import { setParameters } from "../router.js";

const LANES = ["crashes", "supervision", "dead letters", "other"];
const COLUMNS = 160;
/// The most events that the page holds.
const HELD = 20_000;

export function mount(root, { store, parameters }) {
  const view = new Timeline(store, parameters);
  replace(root, view.element);
  return view;
}

class Timeline {
  constructor(store, { q, lane, at }) {
    Object.assign(this, {
      store,
      q: q ?? "",
      lane: lane ?? "",
      at: at ? Number(at) : null,
    });
    this.events = [];
    this.abort = new AbortController();
    this.chart = h("div", {});
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 1000,
      value: 1000,
      class: "scrub",
      "aria-label": "Moment",
      on: { input: () => this.#scrub() },
    });
    this.when = h("output", { class: "when" });
    this.live = button("Live", () => this.#goLive(), { small: true });
    this.inner = h("div", { class: "rows-inner feed" });
    this.list = h(
      "div",
      {
        class: "rows",
        tabindex: "0",
        role: "region",
        "aria-label": "Events",
        on: { scroll: () => this.#draw() },
      },
      this.inner,
    );
    this.note = h("div", {});
    this.element = h(
      "div",
      { class: "fill" },
      this.#heading(),
      h(
        "div",
        { class: "scrubber" },
        this.chart,
        this.slider,
        h("div", { class: "scrub-line" }, this.live, this.when),
      ),
      this.note,
      this.list,
    );
    this.leave = [store.on("event", (event) => this.#add([event])), store.on("reset", () => this.#reset())];
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(this.list);
    this.#fetch();
  }

  #heading() {
    const lanes = [["", "All events"], ...LANES.map((lane) => [lane, lane])];
    return heading(
      "Timeline",
      null,
      choice("Lane", lanes, this.lane, (lane) => this.#change({ lane })),
      filterField("Filter by actor or text", this.q, (q) => this.#change({ q })),
      button("Export JSON", () => this.#export()),
    );
  }

  #change(changes) {
    Object.assign(this, changes);
    setParameters(changes);
    this.#show();
  }

  async #fetch() {
    const last = this.events.at(-1)?.sequence ?? 0;
    await eventsAfter(last, (events) => this.#add(events), {
      signal: this.abort.signal,
    }).catch(() => {});
    this.#show();
  }

  #reset() {
    this.events = [];
    this.#goLive();
    this.#fetch();
  }

  /// Adds events. The stream and the history may bring the same.
  #add(events) {
    const before = this.events.at(-1)?.sequence ?? 0;
    if (events[0].sequence > before) this.events.push(...events);
    else {
      const all = new Map([...this.events, ...events].map((event) => [event.sequence, event]));
      this.events = [...all.values()].sort((a, b) => a.sequence - b.sequence);
    }
    if (this.events.length > HELD) this.events.splice(0, this.events.length - HELD);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#show(), 100);
  }

  get #range() {
    const from = this.events[0]?.at_millis ?? Date.now();
    return {
      from,
      to: Math.max(from + 1000, this.events.at(-1)?.at_millis ?? from),
    };
  }

  #scrub() {
    const { from, to } = this.#range;
    const part = Number(this.slider.value) / 1000;
    this.at = part >= 1 ? null : Math.round(from + part * (to - from));
    setParameters({ at: this.at });
    this.#show();
  }

  #goLive() {
    this.at = null;
    this.slider.value = 1000;
    setParameters({ at: null });
    this.#show();
  }

  #matches(event) {
    if (this.lane && laneOf(event) !== this.lane) return false;
    if (!this.q) return true;
    const [word, , detail] = describe(event);
    return `${subjectOf(event)} ${word} ${detail}`.toLowerCase().includes(this.q.toLowerCase());
  }

  #show() {
    const wanted = this.events.filter((event) => this.#matches(event));
    // The newest is at the top.
    this.shown = wanted.filter((event) => this.at === null || event.at_millis <= this.at).reverse();
    const { from, to } = this.#range;
    if (this.at !== null) this.slider.value = String((1000 * (this.at - from)) / (to - from));
    setAttribute(this.live, "aria-pressed", String(this.at === null));
    setText(
      this.when,
      this.at === null
        ? `now, ${counted(this.shown.length, "event")} since ${clock(from)}`
        : `${clock(this.at)}, ${counted(this.shown.length, "event")} up to then`,
    );
    setAttribute(this.slider, "aria-valuetext", this.when.textContent);
    this.#drawLanes(wanted, from, to);
    replace(
      this.note,
      this.shown.length === 0 &&
        emptyList(
          this.q || this.lane,
          "No event",
          "No event",
          "Events are here as soon as something starts or ends.",
        ),
    );
    this.inner.style.height = `${this.shown.length * rowHeight()}px`;
    this.#draw();
  }

  #drawLanes(events, from, to) {
    const counts = density(events, {
      from,
      to,
      columns: COLUMNS,
      laneOf,
      lanes: LANES,
    });
    const tones = {
      crashes: "bad",
      supervision: "warn",
      "dead letters": "violet",
      other: "info",
    };
    replace(
      this.chart,
      LANES.map((lane) => {
        const total = counts[lane].reduce((sum, number) => sum + number, 0);
        const most = Math.max(1, ...counts[lane]);
        const bars = counts[lane].map(
          (number, column) =>
            number > 0 &&
            s("rect", {
              x: column + 0.1,
              width: 0.8,
              y: 10 - Math.max(2, (10 * number) / most),
              height: Math.max(2, (10 * number) / most),
            }),
        );
        const now =
          this.at === null
            ? null
            : s("line", {
                class: "now",
                x1: (COLUMNS * (this.at - from)) / (to - from),
                x2: (COLUMNS * (this.at - from)) / (to - from),
                y1: 0,
                y2: 10,
                "vector-effect": "non-scaling-stroke",
              });
        return h(
          "div",
          { class: "lane", data: { tone: tones[lane] } },
          h("span", { class: "lane-name" }, lane),
          s(
            "svg",
            {
              viewBox: `0 0 ${COLUMNS} 10`,
              preserveAspectRatio: "none",
              role: "img",
              "aria-label": `${counted(total, "event")} in ${lane}`,
            },
            bars,
            now,
          ),
          h("span", { class: "lane-count" }, total),
        );
      }),
    );
  }

  #draw() {
    if (!this.shown) return;
    const height = rowHeight();
    const { first, end } = visibleRows({
      scrollTop: this.list.scrollTop,
      height: this.list.clientHeight || 500,
      rowHeight: height,
      total: this.shown.length,
    });
    const rows = this.shown.slice(first, end).map((event, index) => {
      const row = eventLine(event);
      row.style.transform = `translateY(${(first + index) * height}px)`;
      row.style.height = `${height}px`;
      return row;
    });
    replace(this.inner, rows);
  }

  /// Saves what is shown: the events up to the chosen moment that pass the filter.
  #export() {
    const events = [...this.shown].reverse();
    save(`events-${this.store.session?.boot ?? "console"}-${events.at(-1)?.sequence ?? 0}.json`, {
      boot: this.store.session?.boot,
      until_millis: this.at,
      events,
    });
  }

  stop() {
    this.abort.abort();
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.leave.forEach((leave) => leave());
  }
}
