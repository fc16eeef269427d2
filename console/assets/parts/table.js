// A table of any length, with the roles of a table.

import { h, replace, setAttribute } from "../dom.js";
import { Rows } from "./rows.js";

/// Makes a windowed table.
///
/// A column is `{ name, title, width, cell(item), wide, number, sort }`. `cell` returns a text or an
/// element. A column that is `wide` is left out on a small screen. `sort` is what the server sorts by.
export function table({
  label,
  columns,
  store,
  fetchPage,
  key,
  empty,
  href,
  tone,
  every,
  sort,
  sorted,
  loaded,
}) {
  const head = h(
    "div",
    { class: "row head", role: "row" },
    columns.map((column) => headCell(column)),
  );
  const rows = new Rows({
    store,
    fetchPage,
    key,
    empty,
    every,
    rowHeight: rowHeight(),
    loaded: (page) => {
      setAttribute(element, "aria-rowcount", page.total + 1);
      loaded?.(page);
    },
    create: () =>
      h(
        "div",
        { class: "row", role: "row" },
        columns.map((column) => h("div", { class: classOf(column), role: "cell" })),
      ),
    update: (row, item) => update(row, item, columns, { href, tone }),
  });
  const element = h(
    "div",
    { class: "table", role: "table", "aria-label": label },
    h("div", { role: "rowgroup", class: "table-head" }, head),
    rows.element,
  );
  element.style.setProperty("--columns", columns.map((column) => column.width ?? "1fr").join(" "));
  element.style.setProperty(
    "--columns-small",
    columns
      .filter((column) => !column.wide)
      .map((column) => column.small ?? small(column.width))
      .join(" "),
  );

  function headCell(column) {
    const cell = h(
      "div",
      {
        class: classOf(column),
        role: "columnheader",
        "aria-sort": column.sort === sort && column.sort ? "descending" : null,
      },
      column.title,
    );
    if (column.sort)
      replace(
        cell,
        h(
          "button",
          {
            type: "button",
            class: "sort",
            on: { click: () => sortBy(column) },
          },
          column.title,
        ),
      );
    return cell;
  }

  function sortBy(column) {
    columns.forEach((each, index) =>
      setAttribute(head.children[index], "aria-sort", each === column ? "descending" : null),
    );
    sorted(column.sort);
    rows.restart();
  }

  return { element, rows, stop: () => rows.stop() };
}

/// The height of a row: more for a finger.
export function rowHeight() {
  return matchMedia("(max-width: 719px)").matches ? 44 : 34;
}

function classOf(column) {
  return ["cell", column.wide && "wide", column.number && "number"].filter(Boolean).join(" ");
}

function update(row, item, columns, { href, tone }) {
  setAttribute(row, "data-tone", tone?.(item));
  columns.forEach((column, index) => {
    const cell = row.children[index];
    const content = column.cell(item);
    if (column.mark) column.mark(cell, item);
    else if (index === 0 && href) linkCell(cell, href(item), content);
    else replace(cell, content);
  });
}

/// Keeps the link of a row, so that it keeps the focus.
function linkCell(cell, href, content) {
  const known = cell.firstChild?.tagName === "A" ? cell.firstChild : null;
  const element = known ?? cell.appendChild(h("a", { class: "row-link" }));
  setAttribute(element, "href", href);
  const text = String(content);
  if (element.textContent !== text) element.textContent = text;
  setAttribute(element, "title", text);
}

/// A column that may be narrow on a small screen.
function small(width = "1fr") {
  return width.replace(/^minmax\(\d+px/, "minmax(0");
}
