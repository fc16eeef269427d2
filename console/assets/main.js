// Starts the page: session, stream, overview, and the view that the address names.

import * as answers from "./answers.js";
import { get } from "./api.js";
import { replace } from "./dom.js";
import { lastOf, reasonText } from "./format.js";
import { header } from "./header.js";
import { nav } from "./nav.js";
import { countDown } from "./parts/mark.js";
import { bind, listen, showKeys } from "./parts/keyboard.js";
import { empty } from "./parts/small.js";
import { toast } from "./parts/toast.js";
import { rail } from "./rail.js";
import { Refresher } from "./refresh.js";
import { go, link, parse } from "./router.js";
import { EventStream } from "./stream.js";
import { feed, isCrash, Store } from "./store.js";
import { applyTheme, switchTheme } from "./theme.js";
import { VIEWS } from "./views.js";
import * as actor from "./views/actor.js";
import * as audit from "./views/audit.js";
import * as crashes from "./views/crashes.js";
import * as deadLetters from "./views/dead_letters.js";
import * as durableJob from "./views/durable_job.js";
import * as job from "./views/job.js";
import * as nodes from "./views/nodes.js";
import * as pool from "./views/pool.js";
import * as pools from "./views/pools.js";
import * as processes from "./views/processes.js";
import * as queue from "./views/queue.js";
import * as queues from "./views/queues.js";
import * as registry from "./views/registry.js";
import * as shutdown from "./views/shutdown.js";
import * as timeline from "./views/timeline.js";
import * as tree from "./views/tree.js";
import * as waits from "./views/waits.js";

const MODULES = {
  tree,
  actor,
  processes,
  crashes,
  "dead-letters": deadLetters,
  pools,
  pool,
  job,
  queues,
  queue,
  "durable-job": durableJob,
  registry,
  nodes,
  waits,
  timeline,
  shutdown,
  audit,
};

const store = new Store();
let view = null;

function route() {
  view?.stop?.();
  const address = parse(location.hash);
  const main = document.getElementById("main");
  const module = MODULES[address.view];
  main.dataset.view = address.view;
  document.title = `${VIEWS.find(({ name }) => name === address.view)?.title ?? address.rest[0] ?? address.view} · perennial`;
  main.scrollTop = 0;
  // The elements of the next view are its own, also if those of the last one look the same.
  main.replaceChildren();
  view = module ? module.mount(main, { store, ...address }) : null;
  if (!module) replace(main, empty("There is no such view", "The navigation has all views."));
}

async function session() {
  store.setSession(await get("/session"));
  // The buttons of actions that the console would refuse to every client are hidden.
  document.documentElement.dataset.actions = store.session.actions ? "on" : "off";
}

/// Fetches what the server has kept, for the events from before this page was opened.
async function past() {
  const after = Math.max(0, store.sequence - 500);
  const { items } = await get("/events", { after, limit: 500 });
  store.addHistory(items);
}

/// Connects. The stream begins after the last event that the overview has, so nothing is between.
async function connect() {
  for (;;) {
    try {
      await session();
      store.setOverview(answers.overview(await get("/overview")));
      store.sequence = store.overview.sequence;
      await past();
      return stream(store.session.boot);
    } catch {
      store.setConnection("waiting", Date.now() + 1000);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      store.setConnection("connecting");
    }
  }
}

function stream(boot) {
  const reload = () =>
    session()
      .then(past)
      .catch(() => {});
  const events = new EventStream({
    url: "/api/v1/events/stream",
    lastId: `${boot}-${store.sequence}`,
    on: feed(store, { reload }),
    status: (state, nextAt) => store.setConnection(state, nextAt),
  });
  events.run();
  return events;
}

function keys() {
  bind("/", "Search", () => document.getElementById("search").focus());
  bind("?", "Show the keys", showKeys);
  bind("T", "Switch the theme", switchTheme);
  for (const { name, title, key } of VIEWS) bind(`g ${key}`, `Go to ${title}`, () => go(link(name)));
  listen();
}

/// The time between two notices of crashes.
const NOTICE_GAP = 10_000;

/// The views that show crashes themselves.
const SHOW_CRASHES = new Set(["crashes", "timeline"]);

/// Tells of a crash where it is not seen: the rail and some views show it anyway.
function tellCrashes() {
  let told = 0;
  store.on("event", (event) => {
    if (!isCrash(event) || Date.now() - told < NOTICE_GAP) return;
    const isSeen = document.getElementById("rail").checkVisibility();
    if (isSeen || SHOW_CRASHES.has(parse(location.hash).view)) return;
    told = Date.now();
    const { label, reason } = event.kind.ended;
    toast(`${lastOf(label)} ${reasonText(reason)}`, {
      tone: "bad",
      href: link("crashes", [event.sequence]),
    });
  });
}

async function start() {
  applyTheme();
  let events = null;
  header(document.getElementById("header"), store, {
    retry: () => events?.retry(),
  });
  nav(document.getElementById("nav"), store);
  rail(document.getElementById("rail"), store);
  keys();
  tellCrashes();
  setInterval(countDown, 200);
  document.addEventListener("token", () => session().catch(() => {}));
  addEventListener("hashchange", route);
  route();
  events = await connect();
  new Refresher(
    async (signal) => store.setOverview(answers.overview(await get("/overview", {}, { signal }))),
    { store, every: 2000 },
  );
}

start();
