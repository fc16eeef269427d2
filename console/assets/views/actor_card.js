// The card of an actor: what it does, what it did last, why it crashed, and what can be done to it.

import * as answers from "../answers.js";
import { get } from "../api.js";
import { count, counted, duration, pid, reasonText, restartsLeft, words } from "../format.js";
import { animate, h, reconcile, replace, setAttribute, setText } from "../dom.js";
import { busy, button, empty, facts, section, tag } from "../parts/small.js";
import { account } from "../parts/account.js";
import { eventLine } from "../parts/event.js";
import { setMark, stateOf, stateOfProcess } from "../parts/mark.js";
import { Refresher } from "../refresh.js";
import { perform, sendDebug } from "../actions.js";
import { link } from "../router.js";
import { crashReport } from "./crash_report.js";

/// The actions in the order of their buttons.
const ACTIONS = [
  ["restart", "Restart"],
  ["suspend", "Suspend"],
  ["resume", "Resume"],
  ["stop", "Stop"],
  ["kill", "Kill"],
  ["debug", "Send debug message"],
];

/// The card of an actor, which keeps itself up to date. `close` is for a card beside a tree.
export class ActorCard {
  constructor(store, identity, close) {
    Object.assign(this, { store, identity });
    this.incarnation = null;
    this.crash = null;
    this.title = h("h1", { class: "card-title" }, "…");
    this.path = h("p", { class: "card-path" });
    this.mark = h("span", { class: "mark large" });
    this.number = h("span", { class: "incarnation" });
    this.actions = h("div", { class: "actions" });
    this.now = h("div", {});
    this.sum = h("div", {});
    this.times = h("div", {});
    this.report = h("div", {});
    this.events = h("div", { class: "feed" });
    this.names = h("div", {});
    this.element = h(
      "article",
      { class: "card" },
      h(
        "header",
        { class: "card-head" },
        h(
          "div",
          { class: "card-line" },
          this.title,
          close && button("×", close, { small: true, title: "Close (Esc)" }),
        ),
        this.path,
        h("div", { class: "card-line" }, this.mark, this.number),
        this.actions,
      ),
      this.now,
      this.report,
      section("Messages", this.sum),
      section("Handle times", this.times),
      this.names,
      section("Last events", this.events),
    );
    this.refresher = new Refresher((signal) => this.#load(signal), {
      store,
      every: 1000,
      failed: (error) => this.#fail(error),
    });
  }

  async #load(signal) {
    const card = await get(`/processes/${this.identity}`, {}, { signal });
    card.actor = answers.process(card.actor);
    this.#head(card);
    this.#now(card);
    replace(this.sum, account(card.account));
    replace(this.times, handleTimes(card.handle_times));
    this.#names(card);
    reconcile(this.events, [...card.events].reverse(), {
      key: (event) => event.sequence,
      create: (event) => eventLine(event, { subject: false }),
    });
    if (card.events.length === 0)
      replace(this.events, h("p", { class: "none" }, "Nothing happened to it since the console looks."));
    await this.#crash(card, signal);
  }

  #head(card) {
    const { actor } = card;
    const label = card.path || `<${actor.identity}>`;
    const slash = label.lastIndexOf("/");
    setText(this.title, label.slice(slash + 1));
    setText(this.path, slash < 0 ? "" : label.slice(0, slash));
    const state = card.node ? stateOf(card.node) : stateOfProcess(actor);
    setMark(this.mark, state, actor.retry_in_millis);
    const { incarnation } = actor;
    setText(this.number, `incarnation ${incarnation}`);
    setAttribute(this.number, "title", pid(actor));
    if (this.incarnation !== null && incarnation > this.incarnation) animate(this.number, "came-back");
    this.incarnation = incarnation;
    this.#actions(card);
  }

  #actions(card) {
    replace(
      this.actions,
      ACTIONS.filter(([action]) => card.actions.includes(action)).map(([action, text]) =>
        button(text, () => this.#perform(action), { small: true, tone: action === "kill" ? "bad" : "" }),
      ),
    );
  }

  async #perform(action) {
    const [subject, incarnation] = [this.title.textContent, this.incarnation];
    if (action === "debug") await sendDebug(this.identity, subject);
    // What is seen is what is meant: another incarnation is left alone.
    else await perform(action, `/processes/${this.identity}`, subject, { incarnation });
    this.refresher.now();
  }

  #now(card) {
    const { actor, node, supervisor } = card;
    replace(
      this.now,
      facts([
        ["Queue", count(actor.messages.queued)],
        [
          "Oldest message",
          actor.oldest_waited_millis === null
            ? "none waits"
            : `waits for ${duration(actor.oldest_waited_millis)}`,
        ],
        ["Busy for", busy(actor.busy_millis)],
        ["Restarts", count(actor.restarts)],
        ["Down because of", actor.pending_start && reasonText(actor.pending_start.reason)],
        ["Messages of type", card.message_type && h("code", {}, card.message_type)],
        ["Restart type", node && [words(node.restart), node.significant ? ", significant" : ""]],
        ["Pool", card.is_pool && h("a", { href: link("pool", [this.identity]) }, "its jobs and workers")],
        ["Strategy", node?.kind === "supervisor" && (node.strategy ? words(node.strategy) : "dynamic")],
        ["Tolerates", node && restartsLeft(node.restarts_left)],
        [
          "Supervisor",
          supervisor &&
            h(
              "span",
              {},
              h("a", { href: link("actor", [supervisor.identity]) }, supervisor.path),
              supervisor.restarts_left === null ? "" : `, ${restartsLeft(supervisor.restarts_left)}`,
            ),
        ],
        [
          "Links",
          actor.links.length > 0 &&
            actor.links.map((each) => [h("a", { href: link("actor", [each.identity]) }, pid(each)), " "]),
        ],
        ["Monitors on it", actor.monitored_by > 0 && count(actor.monitored_by)],
        ["Traps exits", actor.trap_exits && "yes"],
      ]),
    );
  }

  #names(card) {
    const parts = [
      card.names.map((name) => tag(`name ${name}`, "info")),
      card.groups.map((group) => tag(`group ${group}`)),
    ].flat();
    replace(this.names, parts.length > 0 && section("Registered as", h("div", { class: "tags" }, parts)));
  }

  async #crash(card, signal) {
    if (card.last_crash === this.crash) return;
    this.crash = card.last_crash;
    if (this.crash === null) return;
    const report = await get(`/crashes/${card.last_crash}`, {}, { signal }).catch((error) =>
      error.name === "AbortError" ? Promise.reject(error) : null,
    );
    if (report)
      replace(
        this.report,
        section("Last crash", crashReport(report), {
          aside: h("a", { href: link("crashes", [card.last_crash]) }, "Full report"),
        }),
      );
  }

  #fail(error) {
    if (error.status !== 404) return;
    setText(this.title, "Not here any more");
    setText(this.path, `The actor ${this.identity} is closed, or there was none.`);
    replace(this.now, empty("It is closed", "Its events are in the timeline as long as they are kept."));
    replace(this.actions);
    this.refresher.stop();
  }

  stop() {
    this.refresher.stop();
  }
}

/// How long the handlers of an actor took, of the messages that were timed.
function handleTimes(times) {
  if (times === null) return h("p", { class: "none" }, "Too many actors are looked at to time this one.");
  const rate = `1 of ${count(times.sampled_one_in)} messages`;
  if (times.samples === 0)
    return h("p", { class: "none" }, `None yet: while this page is open, at most ${rate} is timed.`);
  return [
    facts([
      ["Mean", duration(times.mean)],
      ["Half take at most", duration(times.p50)],
      ["99 of 100 take at most", duration(times.p99)],
      ["Longest", duration(times.max)],
    ]),
    h("p", { class: "sub" }, `${counted(times.samples, "sample")}: at most ${rate} is timed.`),
  ];
}
