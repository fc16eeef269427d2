// The durable queues of all stores: their jobs by state.

import { get } from "../api.js";
import { h, reconcile, replace } from "../dom.js";
import { empty, heading, section, tag } from "../parts/small.js";
import { durableFigures } from "../parts/durable.js";
import { Refresher } from "../refresh.js";
import { link } from "../router.js";

export function mount(root, { store }) {
  const list = h("div", { class: "page" });
  replace(root, heading("Queues", "Jobs that outlive the process, as their stores have them."), list);
  return new Refresher(
    async (signal) => {
      const stores = await get("/stores", {}, { signal });
      if (stores.length === 0) {
        list.reconciled = undefined;
        replace(list, empty("No store is shown", "A program shows its durable stores by Console::store."));
      } else reconcile(list, stores, { key: ({ name }) => name, create: part, update: showPart });
    },
    { store, every: 2000 },
  );
}

/// The part of a store, whose queues are cards.
function part({ name }) {
  return section(name, [h("div", {}), h("div", { class: "cards" })]);
}

function showPart(element, { name, problem, total, queues }) {
  const [, note, cards] = element.children;
  replace(
    note,
    problem !== null && h("p", { class: "verdict", data: { tone: "bad" } }, "✕ ", problem),
    problem === null && total === 0 && h("p", { class: "none" }, "No queue has a job or is paused."),
    total > queues.length && problem === null && h("p", { class: "sub" }, `The first of ${total} queues.`),
  );
  reconcile(cards, queues, {
    key: ({ queue }) => queue,
    create: ({ queue }) =>
      h(
        "article",
        { class: "pool-card" },
        h(
          "header",
          {},
          h("h3", {}, h("a", { class: "pool-name", href: link("queue", [name, queue]) }, queue)),
          h("span", { class: "tags" }),
        ),
        h("div", { class: "job-states" }),
      ),
    update: (card, { queue, paused, jobs }) => {
      replace(card.querySelector(".tags"), paused && tag("paused", "warn"));
      replace(
        card.lastElementChild,
        durableFigures(jobs, (state) => link("queue", [name, queue], { state })),
      );
    },
  });
}
