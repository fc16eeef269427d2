import assert from "node:assert/strict";
import test from "node:test";
import { Pages, pagesOf, visibleRows } from "../../assets/parts/window.js";

const rows = (scrollTop, total, height = 340) =>
  visibleRows({ scrollTop, height, rowHeight: 34, total, overscan: 5 });

test("window has the rows that are seen and some beyond", () => {
  assert.deepEqual(rows(0, 100_000), { first: 0, end: 16 });
  assert.deepEqual(rows(34 * 50_000, 100_000), { first: 49_995, end: 50_016 });
});

test("window never exceeds the list", () => {
  assert.deepEqual(rows(34 * 99_990, 100_000), { first: 99_985, end: 100_000 });
  assert.deepEqual(rows(0, 0), { first: 0, end: 0 });
  assert.deepEqual(rows(34 * 500, 3), { first: 2, end: 3 });
  assert.deepEqual(rows(-80, 3), { first: 0, end: 3 });
});

test("pages are those that hold the rows", () => {
  assert.deepEqual(pagesOf({ first: 95, end: 105 }, 100), [0, 100]);
  assert.deepEqual(pagesOf({ first: 100, end: 200 }, 100), [100]);
  assert.deepEqual(pagesOf({ first: 0, end: 0 }, 100), []);
});

test("only few pages are kept, the latest ones", () => {
  const pages = new Pages(2, 3);
  for (let offset = 0; offset < 20; offset += 2)
    pages.add(offset, { total: 20, items: [offset, offset + 1] });
  assert.deepEqual(
    [18, 16, 14, 12, 0].map((offset) => pages.has(offset)),
    [true, true, true, false, false],
  );
  assert.equal(pages.row(19), 19);
  assert.equal(pages.row(0), undefined);
  pages.add(14, { total: 16, items: [1, 2] });
  pages.add(0, { total: 16, items: [0, 1] });
  assert.deepEqual([pages.total, pages.has(14), pages.has(16)], [16, true, false]);
});
