// The page outlives its connection, its server, and the process of that.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { close, launch, OFFLINE, open, row, Server } from "./support.js";

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/// Returns the numbers of the events that the page has.
async function exported(page) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export JSON" }).click(),
  ]);
  const { events } = JSON.parse(await readFile(await download.path(), "utf8"));
  return events.map((event) => event.sequence);
}

const sequence = (page) => page.evaluate(() => Number(document.documentElement.dataset.sequence));

test("page resumes without a gap after its server was restarted", async () => {
  const server = await Server.start();
  const page = await open(browser, server, { hash: "#/timeline", expected: OFFLINE });
  await page.evaluate(() => (window.isSamePage = true));
  await server.tell("console down");
  await page.locator(".connection[data-state=waiting]").waitFor();
  // What happens meanwhile is what must not be missing.
  for (let crash = 0; crash < 5; crash += 1) await server.tell("crash till");
  await server.tell("console up");
  await page.locator(".connection[data-state=live]").waitFor();
  const { sequence: last, items } = await server.get("/events?after=0&limit=500");
  await page.waitForFunction((wanted) => Number(document.documentElement.dataset.sequence) >= wanted, last);
  await page.waitForTimeout(300);
  const shown = await exported(page);
  const wanted = items.map((event) => event.sequence);
  assert.deepEqual(shown.slice(0, wanted.length), wanted);
  assert.equal(await page.evaluate(() => window.isSamePage), true);
  await close(page);
  await server.stop();
});

test("page begins anew when another process answers", async () => {
  const first = await Server.start();
  const page = await open(browser, first, { expected: OFFLINE });
  for (let crash = 0; crash < 3; crash += 1) await first.tell("crash till");
  await page.waitForFunction(
    () => Number(document.querySelector(".stat[data-name=crashes] b").textContent) === 3,
  );
  const before = await sequence(page);
  await first.kill();
  await page.locator(".connection[data-state=waiting]").waitFor();
  const second = await Server.start(new URL(first.url).host);
  await page.locator(".connection[data-state=live]").waitFor();
  await page.waitForFunction(() => document.querySelector(".stat[data-name=crashes] b").textContent === "0");
  await row(page, "till").locator(".mark[data-state=running]").waitFor();
  // The numbers are those of the new process.
  await page.waitForFunction((last) => Number(document.documentElement.dataset.sequence) < last, before);
  await second.tell("crash till");
  await row(page, "till").locator(".mark[data-state=backing_off]").waitFor();
  await close(page);
  await second.stop();
});
