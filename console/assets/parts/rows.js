// A list of any length: only the rows that are seen have elements.

import { h, setAttribute } from "../dom.js";
import { Refresher } from "../refresh.js";
import { Pages, pagesOf, visibleRows } from "./window.js";

/// A windowed list with rows of one height.
///
/// `fetchPage(offset, limit, signal)` returns `{ total, items }`. `create(item)` makes the element of
/// a row and `update(element, item, index)` changes it. `key` is what an item is known by: a row keeps
/// its element while its item moves. `empty()` stands where no row is, and `loaded(page)` is called
/// after each load.
export class Rows {
  #pages = new Pages();
  #elements = new Map();
  #frame = 0;
  #failures = 0;

  constructor({ store, every, ...callbacks }) {
    Object.assign(this, callbacks, { rowHeight: rowHeight() });
    this.inner = h("div", { class: "rows-inner", role: "presentation" });
    this.note = h("div", { class: "rows-note" });
    this.element = h(
      "div",
      { class: "rows", role: "rowgroup", tabindex: "0", on: { scroll: () => this.#scrolled() } },
      this.inner,
      this.note,
    );
    this.inner.append(...skeleton(this.rowHeight));
    this.#observe();
    this.refresher = new Refresher((signal) => this.#load(signal), {
      store,
      every,
      failed: (error) => this.#fail(error),
    });
  }

  #observe() {
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
  }

  /// Loads from the first row on: after another filter or order.
  restart() {
    this.#pages.clear();
    this.element.scrollTop = 0;
    this.refresher.now();
  }

  /// Loads the seen rows again.
  reload() {
    this.refresher.now();
  }

  get total() {
    return this.#pages.total ?? 0;
  }

  /// Returns the item of a row, if it is loaded.
  row(index) {
    return this.#pages.row(index);
  }

  /// Scrolls as little as necessary for a row to be seen.
  reveal(index) {
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight)
      this.element.scrollTop = top + this.rowHeight - clientHeight;
  }

  #window() {
    const { scrollTop, clientHeight } = this.element;
    const height = clientHeight || 600;
    return visibleRows({
      scrollTop,
      height,
      rowHeight: this.rowHeight,
      total: this.#pages.total ?? 50,
    });
  }

  async #load(signal) {
    const wanted = pagesOf(this.#window(), this.#pages.size);
    const offsets = wanted.length ? wanted : [0];
    const answers = await Promise.all(
      offsets.map((offset) => this.fetchPage(offset, this.#pages.size, signal)),
    );
    answers.forEach((answer, index) => this.#pages.add(offsets[index], answer));
    this.#failures = 0;
    this.loaded(answers[0]);
    this.draw();
  }

  #fail(error) {
    // One that fails once is tried again before anything is said.
    this.#failures += 1;
    if (this.#pages.total === null || this.#failures > 2) this.#say(error.message);
  }

  #scrolled() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.draw();
      const offsets = pagesOf(this.#window(), this.#pages.size);
      if (offsets.some((offset) => !this.#pages.has(offset))) this.refresher.soon();
    });
  }

  /// Draws the rows that are seen.
  draw() {
    if (this.#pages.total === null) return;
    // A group without rows is none.
    setAttribute(this.element, "role", this.#pages.total > 0 ? "rowgroup" : null);
    setAttribute(this.element, "tabindex", this.#pages.total > 0 ? "0" : null);
    const { first, end } = this.#window();
    this.inner.style.height = `${this.#pages.total * this.rowHeight}px`;
    this.inner.querySelectorAll(".skeleton").forEach((element) => element.remove());
    const next = new Map();
    for (let index = first; index < end; index += 1) this.#place(index, next);
    for (const [key, element] of this.#elements) if (next.get(key) !== element) element.remove();
    this.#elements = next;
    this.#order();
    if (this.#pages.total === 0) this.#say(this.empty());
    else this.note.replaceChildren();
  }

  #place(index, next) {
    const item = this.#pages.row(index);
    const key = item === undefined ? `row ${index}` : this.key(item);
    let element = this.#elements.get(key);
    if (!element) {
      element =
        item === undefined
          ? h("div", { class: "row waiting", role: "row" }, h("span", { role: "cell" }))
          : this.create(item);
      element.style.height = `${this.rowHeight}px`;
    }
    element.style.transform = `translateY(${index * this.rowHeight}px)`;
    setAttribute(element, "aria-rowindex", index + 1);
    if (item !== undefined) this.update(element, item, index);
    next.set(key, element);
  }

  /// Puts the elements into the order of their rows, which is that of the focus. One that is in its
  /// place is not moved, so it keeps the focus.
  #order() {
    let before = this.inner.firstChild;
    for (const element of this.#elements.values()) {
      if (element === before) before = before.nextSibling;
      else this.inner.insertBefore(element, before);
    }
  }

  #say(content) {
    this.note.replaceChildren(typeof content === "string" ? h("p", { class: "empty" }, content) : content);
    if (this.#pages.total === null) this.inner.replaceChildren();
  }

  stop() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.refresher.stop();
  }
}

/// The height of a row: more for a finger.
export function rowHeight() {
  return matchMedia("(max-width: 719px)").matches ? 44 : 34;
}

/// Grey rows in the place of those that are being loaded, so that nothing moves when they come.
function skeleton(height) {
  return Array.from({ length: 8 }, (_, index) => {
    const row = h("div", { class: "row skeleton", "aria-hidden": "true" }, h("span", { class: "bar" }));
    row.style.transform = `translateY(${index * height}px)`;
    row.style.height = `${height}px`;
    return row;
  });
}
