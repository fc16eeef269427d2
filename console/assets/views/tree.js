// The tree: what runs below what, and what is in trouble. Only the rows that are seen are loaded.

import { get, post } from "../api.js";
import { count, counted, duration, short, words } from "../format.js";
import { animate, h, replace, setAttribute, setText } from "../dom.js";
import {
  budget,
  busyTone,
  choice,
  emptyList,
  filterField,
  heading,
  setFigure,
  tabs,
} from "../parts/small.js";
import { Rows } from "../parts/rows.js";
import { setMark, stateOf } from "../parts/mark.js";
import { ActorCard } from "./actor_card.js";
import { showTroubled } from "../rail.js";
import { go, link, setParameters } from "../router.js";

/// What is expanded lives as long as the page, for each node of a cluster. The name of this one is
/// empty. As the base, `auto` expands what is small, `roots` only the roots.
const expansions = new Map();

function expansionOf(node) {
  if (!expansions.has(node))
    expansions.set(node, { base: "auto", expanded: new Set(), collapsed: new Set() });
  return expansions.get(node);
}

/// The titles of the columns, and the classes of their cells.
const COLUMNS = [
  ["Name", ""],
  ["State", ""],
  ["Restarts", "wide"],
  ["Queue", "number wide"],
  ["Busy", "number wide"],
  ["Inc.", "number wide"],
];

export function mount(root, { store, parameters }) {
  const view = new TreeView(store, parameters);
  replace(root, view.element);
  return view;
}

class TreeView {
  constructor(store, { q, actor, node }) {
    this.store = store;
    this.q = q ?? "";
    /// The node of the cluster that is shown, or nothing for this one.
    this.node = node ?? "";
    this.expansion = expansionOf(this.node);
    this.selected = null;
    this.incarnations = new Map();
    this.troubled = h("div", { class: "troubled" });
    this.pane = h("div", { class: "pane", hidden: true });
    this.count = h("span", {});
    this.nodes = h("span", {});
    this.rows = this.#rows();
    this.grid = h(
      "div",
      {
        class: "tree",
        role: "treegrid",
        "aria-label": "Tree",
        tabindex: "0",
        on: { keydown: (event) => this.#press(event) },
      },
      h("div", { role: "rowgroup", class: "table-head" }, head()),
      this.rows.element,
    );
    this.element = h(
      "div",
      { class: "split" },
      h("div", { class: "split-main" }, this.#bar(), this.#trouble(), this.grid),
      this.pane,
    );
    this.leave = [store.on("overview", () => this.#showTrouble())];
    this.#showTrouble();
    this.#open(this.node ? null : actor);
    this.abort = new AbortController();
    this.#showNodes();
  }

  #bar() {
    const filter = filterField("Filter by path", this.q, (q) => {
      this.q = q;
      setParameters({ q });
      this.rows.restart();
    });
    const depth = tabs(
      "Depth",
      [
        ["auto", "Small groups"],
        ["roots", "Roots"],
      ],
      this.expansion.base,
      (wanted) => this.#setBase(wanted),
    );
    return heading("Tree", this.count, this.nodes, depth, filter);
  }

  /// Offers the other nodes, if there are some.
  async #showNodes() {
    const asked = get("/nodes", { limit: 500 }, { signal: this.abort.signal });
    const { items } = await asked.catch(() => ({ items: [] }));
    const others = items.filter((node) => node.link).map((node) => node.name);
    // The node that is shown may be gone.
    if (this.node && !others.includes(this.node)) others.push(this.node);
    if (others.length === 0) return;
    const own = items.find((node) => !node.link)?.name ?? "this node";
    const choices = [["", `${own} (this node)`], ...others.map((name) => [name, name])];
    replace(
      this.nodes,
      choice("Node", choices, this.node, (node) => go(link("tree", [], { node }))),
    );
  }

  #trouble() {
    this.strip = h("section", { class: "strip", "aria-label": "In trouble", hidden: true }, this.troubled);
    return this.strip;
  }

  #showTrouble() {
    const { overview } = this.store;
    // The overview is that of this node.
    this.strip.hidden =
      !overview ||
      this.node !== "" ||
      (overview.troubled.length === 0 && overview.health.reasons.length === 0);
    if (overview) showTroubled(this.troubled, overview, 12);
  }

  #rows() {
    return new Rows({
      // The events are those of this node.
      store: this.node ? null : this.store,
      fetchPage: (offset, limit, signal) => this.#fetch(offset, limit, signal),
      key: ({ node }) => node.identity || node.path,
      create: (item) => this.#create(item),
      update: (row, item, index) => this.#update(row, item, index),
      loaded: ({ total, omitted = 0 }) => {
        const rows = this.q ? `${counted(total, "row")} with “${this.q}”` : counted(total, "row");
        setText(this.count, omitted > 0 ? `${rows}, ${count(omitted)} more did not fit` : rows);
        setAttribute(this.grid, "aria-rowcount", total + 1);
      },
      empty: () =>
        emptyList(
          this.q,
          "Nothing has this in its path",
          "There is no tree",
          "A tree is here as soon as a supervisor starts.",
        ),
    });
  }

  #fetch(offset, limit, signal) {
    const { base, expanded, collapsed } = this.expansion;
    const wanted = { base, expanded: [...expanded], collapsed: [...collapsed], q: this.q, offset, limit };
    const path = this.node ? `/nodes/${encodeURIComponent(this.node)}/tree/rows` : "/tree/rows";
    return post(path, wanted, { signal });
  }

  #create({ node }) {
    const row = h(
      "div",
      {
        class: "row tree-row",
        role: "row",
        id: `node-${node.identity}`,
        on: { click: (event) => this.#click(event, row) },
      },
      h(
        "div",
        { class: "cell tree-name", role: "gridcell" },
        h(
          "button",
          {
            type: "button",
            class: "twist",
            tabindex: "-1",
            "aria-hidden": "true",
          },
          "▸",
        ),
        h("a", { class: "row-link", tabindex: "-1" }),
        h("span", { class: "tree-kind" }),
        h("span", { class: "tree-count" }),
      ),
      h("div", { class: "cell", role: "gridcell" }, h("span", { class: "mark" })),
      COLUMNS.slice(2).map(([, more]) => h("div", { class: `cell ${more}`, role: "gridcell" })),
    );
    return row;
  }

  #update(row, { level, expanded: open, node }, index) {
    row.item = { node, open, index, level };
    const [name, state, left, queue, busy, incarnation] = row.children;
    name.style.setProperty("--level", level);
    setAttribute(row, "aria-level", level + 1);
    setAttribute(row, "aria-expanded", node.children > 0 ? String(open) : null);
    setAttribute(row, "aria-selected", String(this.selected === node.identity));
    row.classList.toggle("current", this.current === index);
    const [twist, anchor, kind, inside] = name.children;
    twist.hidden = node.children === 0;
    setText(anchor, node.id);
    setAttribute(anchor, "title", node.path);
    const shown = this.node ? { node: this.node } : { actor: node.identity };
    setAttribute(anchor, "href", link("tree", [], { ...shown, q: this.q }));
    setText(kind, kindOf(node));
    setText(inside, insideOf(node));
    setAttribute(inside, "data-tone", node.descendants_in_trouble > 0 ? "bad" : null);
    setMark(state.firstChild, stateOf(node), node.retry_in_millis);
    left.replaceChildren(...[budget(node.restarts_left)].filter(Boolean));
    setText(queue, node.queued ? short(node.queued) : "");
    setText(busy, node.busy_millis === null ? "" : duration(node.busy_millis));
    setAttribute(busy, "data-tone", busyTone(node.busy_millis));
    this.#showIncarnation(row, incarnation, node);
  }

  /// A row whose actor came back says so by a short motion.
  #showIncarnation(row, cell, node) {
    setFigure(cell, node.incarnation > 0 ? String(node.incarnation) : "");
    const before = this.incarnations.get(node.identity);
    if (before !== undefined && node.incarnation > before) animate(row, "came-back");
    this.incarnations.set(node.identity, node.incarnation);
  }

  #click(event, row) {
    const { node, open, index } = row.item;
    this.current = index;
    if (event.target.closest(".twist")) this.#toggle(node, open);
    else if (event.target.closest("a")) {
      event.preventDefault();
      this.#select(node);
    } else this.#select(node);
  }

  #toggle(node, open) {
    const { expanded, collapsed } = this.expansion;
    (open ? expanded : collapsed).delete(node.identity);
    (open ? collapsed : expanded).add(node.identity);
    this.rows.reload();
  }

  /// Expands what is small, or nothing but the roots.
  #setBase(wanted) {
    this.expansion.base = wanted;
    this.expansion.expanded.clear();
    this.expansion.collapsed.clear();
    this.rows.restart();
  }

  #select(node) {
    // An actor of another node has no card here.
    if (!node.identity || this.node) return;
    // A small screen has no room for both.
    if (matchMedia("(max-width: 1079px)").matches) go(link("actor", [node.identity]));
    else {
      setParameters({ actor: node.identity });
      this.#open(node.identity);
    }
  }

  #open(identity) {
    this.card?.stop();
    this.card = null;
    this.selected = identity ? Number(identity) : null;
    this.pane.hidden = !identity;
    this.rows.draw();
    if (!identity) return;
    this.card = new ActorCard(this.store, identity, () => this.#close());
    this.pane.replaceChildren(this.card.element);
  }

  #close() {
    setParameters({ actor: null });
    this.#open(null);
    this.grid.focus();
  }

  #press(event) {
    if (event.target !== this.grid && !event.target.closest(".tree-row")) return;
    const item = this.rows.row(this.current ?? -1);
    const steps = {
      ArrowDown: 1,
      j: 1,
      ArrowUp: -1,
      k: -1,
      PageDown: 15,
      PageUp: -15,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key in steps) this.#move(steps[event.key]);
    else if (event.key === "ArrowRight" && item?.node.children && !item.expanded)
      this.#toggle(item.node, false);
    else if (event.key === "ArrowLeft" && item) this.#left(item);
    else if (event.key === "Enter" && item) this.#select(item.node);
    else if (event.key === "Escape" && this.selected) this.#close();
    else return;
    event.preventDefault();
  }

  #left(item) {
    if (item.expanded && item.node.children) return this.#toggle(item.node, true);
    for (let at = this.current - 1; at >= 0; at -= 1) {
      const above = this.rows.row(at);
      if (!above) return undefined;
      if (above.level < item.level) return this.#move(at - this.current);
    }
    return undefined;
  }

  #move(step) {
    const last = this.rows.total - 1;
    this.current = Math.max(0, Math.min(last, (this.current ?? -1) + step));
    this.rows.reveal(this.current);
    this.rows.draw();
    const item = this.rows.row(this.current);
    setAttribute(this.grid, "aria-activedescendant", item ? `node-${item.node.identity}` : null);
  }

  stop() {
    this.rows.stop();
    this.card?.stop();
    this.abort.abort();
    this.leave.forEach((leave) => leave());
  }
}

function head() {
  return h(
    "div",
    { class: "row head", role: "row" },
    COLUMNS.map(([title, more]) =>
      h(
        "div",
        {
          class: `cell ${more}`,
          role: "columnheader",
          title: title === "Inc." ? "Incarnation" : null,
        },
        title,
      ),
    ),
  );
}

function kindOf(node) {
  if (node.kind !== "supervisor") return node.restart === "permanent" ? "" : words(node.restart);
  return node.strategy ? words(node.strategy) : "dynamic";
}

function insideOf(node) {
  if (node.kind !== "supervisor" || node.children === 0) return "";
  return node.descendants_in_trouble > 0
    ? `${short(node.children)}, ${short(node.descendants_in_trouble)} in trouble`
    : short(node.children);
}
