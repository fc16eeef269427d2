// Which rows of a long list are seen, and which pages of it are loaded.

/// Returns the rows to draw: from `first` to before `end`, with some beyond each edge.
export function visibleRows({ scrollTop, height, rowHeight, total, overscan = 8 }) {
  const from = Math.floor(Math.max(0, scrollTop) / rowHeight);
  const shown = Math.ceil(height / rowHeight) + 1;
  const first = Math.min(Math.max(0, from - overscan), Math.max(0, total - 1));
  return { first, end: Math.min(total, from + shown + overscan) };
}

/// Returns the offsets of the pages that hold the rows from `first` to before `end`.
export function pagesOf({ first, end }, size) {
  const offsets = [];
  for (let at = Math.floor(first / size) * size; at < end; at += size) offsets.push(at);
  return offsets;
}

/// The pages of a list that were loaded. Only few are kept, so that a list of any length takes the
/// same memory.
export class Pages {
  #pages = new Map();
  total = null;

  constructor(size = 100, kept = 12) {
    Object.assign(this, { size, kept });
  }

  /// Returns the item of a row, or `undefined` if its page is not there.
  row(index) {
    const offset = Math.floor(index / this.size) * this.size;
    return this.#pages.get(offset)?.[index - offset];
  }

  has(offset) {
    return this.#pages.has(offset);
  }

  /// Adds a page. The one that was added longest ago goes, if there are too many.
  add(offset, { total, items }) {
    this.total = total;
    this.#pages.delete(offset);
    this.#pages.set(offset, items);
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= this.kept) break;
      this.#pages.delete(old);
    }
  }

  clear() {
    this.#pages.clear();
    this.total = null;
  }
}
