// Small charts: a line of the last minutes, a histogram, events over time.

import { duration, millis } from "../format.js";
import { h, s } from "../dom.js";

/// Returns the points of a line through `values`, in a box.
function points(values, width, height) {
  const most = Math.max(1, ...values);
  const step = width / (values.length - 1);
  return values
    .map(
      (value, index) =>
        `${(index * step).toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`,
    )
    .join(" ");
}

/// A line without axes. Its text says what it shows.
export function sparkline(values, { text, width, height }) {
  const line = points(values, width, height);
  return s(
    "svg",
    {
      class: "sparkline",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": text,
      preserveAspectRatio: "none",
      "data-tone": "info",
    },
    s("polygon", {
      points: `0,${height} ${line} ${width},${height}`,
      class: "area",
    }),
    s("polyline", {
      points: line,
      class: "line",
      "vector-effect": "non-scaling-stroke",
    }),
  );
}

/// A histogram of durations: the bounds of `PoolInfo`, joined to few bars.
export function histogram(entries, text) {
  const bars = join(
    entries.map(([bound, number]) => [millis(bound), number]),
    24,
  );
  if (bars.length === 0) return h("p", { class: "none" }, "Nothing was measured yet.");
  const most = Math.max(...bars.map(([, number]) => number));
  const list = bars.map(([bound, number]) => {
    const bar = h("span", {
      class: "histogram-bar",
      title: `up to ${duration(bound)}: ${number}`,
    });
    bar.style.height = `${Math.max(number ? 4 : 0, (100 * number) / most)}%`;
    return bar;
  });
  return h(
    "figure",
    { class: "histogram" },
    h("div", { class: "histogram-bars", role: "img", "aria-label": text }, list),
    h("figcaption", {}, h("span", {}, duration(bars[0][0])), h("span", {}, duration(bars.at(-1)[0]))),
  );
}

/// Joins neighbours until there are at most `most` bars.
export function join(bars, most) {
  const size = Math.ceil(bars.length / most) || 1;
  const joined = [];
  for (let at = 0; at < bars.length; at += size) {
    const group = bars.slice(at, at + size);
    joined.push([group.at(-1)[0], group.reduce((sum, [, number]) => sum + number, 0)]);
  }
  return joined;
}

/// Counts events by lane in `columns` equal parts of the time from `from` to `to`.
export function density(events, { from, to, columns, laneOf, lanes }) {
  const counts = Object.fromEntries(lanes.map((lane) => [lane, new Array(columns).fill(0)]));
  const size = Math.max(1, (to - from) / columns);
  for (const event of events) {
    const column = Math.min(columns - 1, Math.floor((event.at_millis - from) / size));
    if (column >= 0) counts[laneOf(event)][column] += 1;
  }
  return counts;
}
