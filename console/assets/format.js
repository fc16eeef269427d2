// Numbers, times and reasons as texts.

/// What `u32::MAX` restarts left stands for.
export const ANY_NUMBER = 4294967295;

/// Returns milliseconds: of a number of them, or of a duration of serde.
export function millis(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return value;
  return value.secs * 1000 + value.nanos / 1e6;
}

/// `20 µs`, `0.4 ms`, `12 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`.
export function duration(value) {
  const ms = millis(value);
  if (ms === null) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 0.095) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 0.95) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 59_500) return `${Math.round(ms / 1000)} s`;
  return pair(ms);
}

/// A time that is counted down: `0.4 s`, `12 s`, `3 min 4 s`.
export function countdown(ms) {
  if (ms <= 0) return "now";
  return ms < 10_000 ? `${(Math.ceil(ms / 100) / 10).toFixed(1)} s` : duration(Math.ceil(ms / 1000) * 1000);
}

/// The two largest units of a time of a minute or longer.
function pair(ms) {
  const seconds = Math.round(ms / 1000);
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[first];
  const rest = units[first + 1];
  const small = Math.floor((seconds % size) / rest[1]);
  const head = `${Math.floor(seconds / size)} ${name}`;
  return small ? `${head} ${small} ${rest[0]}` : head;
}

/// `1,234,567`.
export function count(value) {
  return value.toLocaleString("en-US");
}

/// `1 restart`, `2 restarts`.
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/// `999`, `12.3k`, `4.5M`: a number where there is little room.
export function short(value) {
  if (value < 10_000) return count(value);
  const [size, unit] = value < 1_000_000 ? [1000, "k"] : [1_000_000, "M"];
  return `${(value / size).toFixed(value < 100 * size ? 1 : 0)}${unit}`;
}

/// `12`, or `12+` if some may not be counted.
export function atLeast(value, uncounted) {
  return uncounted > 0 ? `${short(value)}+` : short(value);
}

const two = (n) => String(n).padStart(2, "0");

/// The time of day, `14:03:09.120`.
export function clock(at) {
  const date = new Date(at);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/// Date and time of day.
export function moment(at) {
  const date = new Date(at);
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${clock(at)}`;
}

/// `<12.3>`, as the logs have it.
export function pid(value) {
  return `<${value.identity}.${value.incarnation}>`;
}

/// A word of the API for people: `one_for_one` is `one for one`.
export function words(value) {
  return value.replaceAll("_", " ");
}

/// The restarts that a supervisor tolerates at the moment.
export function restartsLeft(left) {
  if (left === null) return null;
  if (left === ANY_NUMBER) return "any number of restarts left";
  return left === 0 ? "no restart left" : `${counted(left, "restart")} left`;
}

const REASONS = {
  normal: "finished",
  shutdown: "shut down",
  ignore: "declined to start",
  killed: "killed",
  no_process: "no process",
  no_connection: "no connection",
  start_timed_out: "start timed out",
  unresponsive: "unresponsive",
  panicked: "panicked",
  failed: "failed",
};

/// The kind of an exit reason.
export function reasonKind(reason) {
  return REASONS[reason.kind] ?? words(reason.kind);
}

/// An exit reason in one line: `panicked: index out of bounds`.
export function reasonText(reason) {
  return reason.message ? `${reasonKind(reason)}: ${reason.message}` : reasonKind(reason);
}

/// The last part of a path, which is the id among siblings.
export function lastOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
