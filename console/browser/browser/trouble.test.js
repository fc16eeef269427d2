// What hangs is seen: actors that wait for each other, and one that does not stop.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, server } from "./shared.js";
import { close, OFFLINE, open, row, Server } from "./support.js";

test("child that does not stop is shown with its phase and the time that is left", async () => {
  const page = await open(browser, server, { hash: "#/shutdown" });
  await page.getByText("Nothing is being stopped").waitFor();
  await server.tell("stop vault");
  const child = page.locator(".remaining li", { hasText: "vault" });
  await child.locator(".tag", { hasText: "stopping" }).waitFor();
  await child.getByText(/killed in (\d+ ms|1\.\d s)/).waitFor();
  await page.getByText("A part of this tree is being stopped.").waitFor();
  await page.getByText("1 actor left").waitFor();
  // Its time is over: it is killed, and its handler keeps it from its end all the same.
  await child.locator(".tag", { hasText: "killed" }).waitFor();
  await child.getByText(/abandoned in \d\.\d s/).waitFor();
  await server.tell("release vault");
  await page.getByText("Nothing is being stopped").waitFor();
  await close(page);
});

test("shutdown of a tree is followed until its console ends with it", async () => {
  const ending = await Server.start();
  const page = await open(browser, ending, { hash: "#/shutdown", expected: OFFLINE });
  await ending.tell("stop shop");
  await page.locator(".remaining li", { hasText: "vault" }).locator(".tag", { hasText: "killed" }).waitFor();
  await page.getByText("2 actors left").waitFor();
  // The vault keeps the tree from its end, and the tree has most of its minute left.
  await page.getByText(/^5\d s until all that is left is killed\.$/).waitFor();
  const over = await page.locator(".stop-bar span").evaluate((bar) => parseFloat(bar.style.width));
  assert.ok(over > 0 && over < 20, `${over} percent are over`);
  await page.locator(".health", { hasText: "Stopping" }).waitFor();
  await ending.tell("release shop");
  await page.locator(".connection[data-state=waiting]").waitFor();
  await close(page);
  await ending.stop();
});

test("circle of calls is drawn, counted and told in words", async () => {
  const page = await open(browser, server, { hash: "#/waits" });
  await page.getByText("No actor waits for another").waitFor();
  await server.tell("wait");
  await page.getByText("1 deadlock: its actors wait for each other").waitFor();
  assert.deepEqual((await page.locator(".graph .node.bad text").allTextContents()).sort(), ["stock", "till"]);
  assert.equal(await page.locator(".graph .edge.bad").count(), 2);
  await page.locator(".waits li", { hasText: "shop/till has waited for shop/stock for" }).waitFor();
  await page.locator(".waits li", { hasText: "shop/stock has waited for shop/till for" }).waitFor();
  await page.locator(".nav-entry", { hasText: "Waits" }).locator(".badge", { hasText: "1" }).waitFor();
  await page.locator(".graph .node", { hasText: "till" }).click();
  await page.locator(".card-title", { hasText: "till" }).waitFor();
  await close(page);
});

test("node in trouble is named beside the tree", async () => {
  const page = await open(browser, server);
  await server.tell("stop vault");
  await row(page, "vault").locator(".mark[data-state=stopping]").waitFor();
  await page.locator(".strip .trouble", { hasText: "shop/vault" }).waitFor();
  await server.tell("release vault");
  await page.locator(".strip").waitFor({ state: "hidden" });
  await row(page, "vault").locator(".mark[data-state=running]").waitFor();
  await close(page);
});

test("reasons of a health check and counts that miss events are shown", async () => {
  const page = await open(browser, server);
  // The program may have a check of its own, and events may be lost before they are counted.
  await page.route("**/api/v1/overview", async (route) => {
    const answer = await route.fetch();
    const text = "the database does not answer";
    const health = [{ tree: null, status: "not_ready", live: true, ready: false, text }];
    await route.fulfill({ json: { ...(await answer.json()), health, missed_events: 2, crashes: 4 } });
  });
  await page.locator(".strip .verdict", { hasText: "the database does not answer" }).waitFor();
  await page.locator(".health", { hasText: "Not ready" }).waitFor();
  await page.locator(".stat[data-name=crashes] b", { hasText: "4+" }).waitFor();
  await close(page);
});
