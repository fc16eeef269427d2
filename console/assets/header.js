// The head of the page: health, counts, the account, the search, the connection.

import { token } from "./api.js";
import { atLeast, count, counted, duration, moment, short } from "./format.js";
import { h, replace, setAttribute, setText } from "./dom.js";
import { askForToken } from "./parts/dialog.js";
import { setFigure } from "./parts/small.js";
import { searchField } from "./search.js";
import { currentTheme, switchTheme } from "./theme.js";
import { link } from "./router.js";

const HEALTH = {
  ready: ["Ready", "ok", "●"],
  not_ready: ["Not ready", "warn", "◐"],
  starting: ["Starting", "info", "◔"],
  stopping: ["Stopping", "warn", "◌"],
  failed: ["Failed", "bad", "▲"],
};

/// The counts of the header: what stands there, its name, where it leads, and its tone.
const COUNTS = [
  ["actors", (o) => short(o.processes.total), "processes", () => ""],
  ["down", (o) => short(o.processes.down), "processes?sort=restarts", (o) => (o.processes.down ? "bad" : "")],
  ["restarts", (o) => short(o.supervision.restarts), "timeline", () => ""],
  ["crashes", (o) => atLeast(o.crashes, o.missed_events), "crashes", (o) => (o.crashes ? "bad" : "")],
  [
    "dead letters",
    (o) => atLeast(deadLetters(o), o.missed_events),
    "dead-letters",
    (o) => (deadLetters(o) ? "warn" : ""),
  ],
  ["queued", (o) => short(o.messages.queued), "processes?sort=queue", () => ""],
];

/// Returns the number of dead letters of all kinds.
export function deadLetters(overview) {
  return Object.values(overview.dead_letters).reduce((sum, number) => sum + number, 0);
}

/// Fills the head and keeps it up to date.
export function header(element, store, { retry }) {
  const health = h("a", { class: "health", href: link("tree"), data: { tone: "muted" } }, "…");
  const counts = COUNTS.map(([name, , href]) => {
    const value = h("b", {}, "–");
    return [h("a", { class: "stat", href: `#/${href}`, data: { name } }, value, h("span", {}, name)), value];
  });
  const sum = h(
    "a",
    { class: "stat sum", href: link("processes") },
    h("b", {}, "–"),
    h("span", {}, "account"),
  );
  const connection = h(
    "button",
    { type: "button", class: "connection", on: { click: retry } },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", {}, "connecting"),
  );
  const brand = h(
    "a",
    { class: "brand", href: link("tree"), "aria-label": "perennial" },
    h("img", { src: "/assets/icon.svg", alt: "", width: 22, height: 22 }),
    h("span", {}, "perennial"),
  );
  replace(
    element,
    brand,
    health,
    h(
      "div",
      { class: "stats" },
      counts.map(([stat]) => stat),
      sum,
    ),
    searchField(),
    h("div", { class: "tools" }, connection, lock(store), themeSwitch()),
  );
  store.on("overview", () => show(store.overview, { health, counts, sum }));
  store.on("session", ({ version, started_at_millis: started }) =>
    setAttribute(brand, "title", `perennial-console ${version}, since ${moment(started)}`),
  );
  const connected = () => showConnection(connection, store);
  store.on("connection", connected);
  setInterval(connected, 500);
}

function show(overview, { health, counts, sum }) {
  const [text, tone, shape] = HEALTH[overview.health.status] ?? ["Unknown", "muted", "○"];
  setText(health, `${shape} ${text}`);
  setAttribute(health, "data-tone", tone);
  setAttribute(health, "title", overview.health.reasons.join("\n") || "Everything that matters is up.");
  COUNTS.forEach(([name, value, , toneOf], index) => {
    const [stat, number] = counts[index];
    setFigure(number, value(overview));
    setAttribute(stat, "data-tone", toneOf(overview));
    setAttribute(stat, "title", `${value(overview)} ${name}`);
  });
  const right = overview.messages.balances;
  setText(sum.firstChild, right ? "✓" : "✕");
  setText(sum.lastChild, right ? "balances" : "does not balance");
  setAttribute(sum, "data-tone", right ? "ok" : "bad");
  const { accepted, handled, lost_in_flight, dead_lettered, queued } = overview.messages;
  setAttribute(
    sum,
    "title",
    `${count(accepted)} accepted = ${count(handled)} handled + ${count(lost_in_flight)} lost in flight + ${count(dead_lettered)} dead letters + ${count(queued)} queued`,
  );
}

function showConnection(element, store) {
  const { state, nextAt } = store.connection;
  const missed = store.missed ? `, ${counted(store.missed, "event")} missed` : "";
  const texts = {
    live: `live${missed}`,
    connecting: "connecting",
    waiting: `offline, again in ${duration(Math.max(0, Math.ceil((nextAt - Date.now()) / 1000) * 1000))}`,
  };
  setText(element.lastChild, texts[state]);
  setAttribute(element, "data-state", state);
  setAttribute(
    element,
    "aria-label",
    `Connection: ${texts[state]}${state === "waiting" ? ". Connect now" : ""}`,
  );
  setAttribute(
    element,
    "title",
    state === "live" ? `event ${count(store.sequence)}${missed}` : "Connect now",
  );
  document.documentElement.dataset.sequence = store.sequence;
}

/// The button that asks for the token. It says whether actions are possible.
function lock(store) {
  const text = h("span", {});
  const button = h("button", { type: "button", class: "tool lock", on: { click: () => unlock() } }, text);
  const update = () => {
    const { actions, authorized } = store.session ?? {};
    const state = !actions ? "off" : authorized ? "open" : "locked";
    const words = {
      off: "read-only",
      open: "actions on",
      locked: token() ? "wrong token" : "read-only",
    };
    setText(text, words[state]);
    setAttribute(button, "data-state", state);
    setAttribute(
      button,
      "title",
      state === "off" ? "The console was started without a token." : "The token for actions",
    );
    button.disabled = state === "off";
  };
  const unlock = async () => {
    if ((await askForToken()) !== null) document.dispatchEvent(new CustomEvent("token"));
  };
  store.on("session", update);
  return button;
}

function themeSwitch() {
  const text = () => ({ dark: "☾", light: "☀", system: "◑" })[currentTheme()];
  const button = h("button", {
    type: "button",
    class: "tool theme",
    on: { click: switchTheme },
  });
  const update = () => {
    setText(button, text());
    setAttribute(button, "aria-label", `Theme: ${currentTheme()}`);
    setAttribute(button, "title", `Theme: ${currentTheme()}`);
  };
  update();
  document.addEventListener("theme", update);
  return button;
}
