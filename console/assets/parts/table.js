// A table of any length, with the roles of a table.

import { get } from "../api.js";
import { h, replace, setAttribute, setText } from "../dom.js";
import { setParameters } from "../router.js";
import { Rows } from "./rows.js";

/// Makes a windowed table of a list of the API.
///
/// `filter` has the parameters with which the list at `path` is asked for, and `item` makes a row of
/// what it answers. A column is `{ title, width, small, cell(item), show(cell, item), wide, number }`.
/// `cell` returns a text or an element, and `show` changes what is there. A column that is `wide` is
/// left out on a small screen.
export function table({ label, path, filter = {}, item: itemOf, columns, store, key, empty, href, every }) {
  const head = columns.map((column) =>
    h("div", { class: classOf(column), role: "columnheader" }, column.title),
  );
  const rows = new Rows({
    store,
    key,
    empty,
    every,
    fetchPage: async (offset, limit, signal) => {
      const { total, items } = await get(path, { ...filter, offset, limit }, { signal });
      return { total, items: itemOf ? items.map(itemOf) : items };
    },
    loaded: ({ total }) => setAttribute(element, "aria-rowcount", total + 1),
    create: () =>
      h(
        "div",
        { class: "row", role: "row" },
        columns.map((column) => h("div", { class: classOf(column), role: "cell" })),
      ),
    update: (row, item) =>
      columns.forEach((column, index) => {
        const cell = row.children[index];
        if (column.show) column.show(cell, item);
        else if (index === 0 && href) linkCell(cell, href(item), column.cell(item));
        else replace(cell, column.cell(item));
      }),
  });
  const element = h(
    "div",
    { class: "table", role: "table", "aria-label": label },
    h("div", { role: "rowgroup", class: "table-head" }, h("div", { class: "row head", role: "row" }, head)),
    rows.element,
  );
  element.style.setProperty("--columns", columns.map((column) => column.width).join(" "));
  element.style.setProperty(
    "--columns-small",
    columns
      .filter((column) => !column.wide)
      .map((column) => column.small ?? small(column.width))
      .join(" "),
  );
  return {
    element,
    reload: () => rows.reload(),
    stop: () => rows.stop(),
    /// Changes the filter, here and in the address.
    change: (changes) => {
      Object.assign(filter, changes);
      setParameters(filter);
      rows.restart();
    },
  };
}

function classOf(column) {
  return ["cell", column.wide && "wide", column.number && "number"].filter(Boolean).join(" ");
}

/// Keeps the link of a row, so that it keeps the focus.
function linkCell(cell, href, content) {
  const anchor = cell.firstChild ?? cell.appendChild(h("a", { class: "row-link" }));
  setAttribute(anchor, "href", href);
  setAttribute(anchor, "title", content);
  setText(anchor, content);
}

/// A column that may be narrow on a small screen.
function small(width) {
  return width.replace(/^minmax\(\d+px/, "minmax(0");
}
