// What happens in the system is seen without a reload.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, server } from "./shared.js";
import { close, identity, open, row, unlock } from "./support.js";

test("crash appears within a second without a reload", async () => {
  const page = await open(browser, server);
  await row(page, "till").waitFor();
  await page.evaluate(() => (window.isSamePage = true));
  const before = Number(await page.locator(".stat[data-name=crashes] b").textContent());
  await server.tell("crash till");
  const second = { timeout: 1000 };
  await Promise.all([
    row(page, "till").locator(".mark[data-state=backing_off]").waitFor(second),
    page.locator(".nav-entry .badge[data-tone=bad]").first().waitFor(second),
    page.waitForFunction(
      (count) => Number(document.querySelector(".stat[data-name=crashes] b").textContent) === count,
      before + 1,
      second,
    ),
  ]);
  assert.equal(await page.evaluate(() => window.isSamePage), true);
  await row(page, "till").locator(".mark[data-state=running]").waitFor();
  await close(page);
});

test("report of a crash has the error, its sources and what it led to", async () => {
  await server.tell("crash till");
  const page = await open(browser, server, { hash: "#/crashes" });
  await page.locator(".table .row-link", { hasText: "shop/till" }).first().click();
  await page.getByText("the drawer is stuck").first().waitFor();
  await page.getByText("a coin is in the way").first().waitFor();
  await page.locator(".step", { hasText: "restarting" }).first().waitFor();
  await page.locator(".step", { hasText: "started" }).first().waitFor();
  await close(page);
});

test("worker that is killed by the page comes back as its next incarnation", async () => {
  const worker = await identity(server, "shop/stock");
  const page = await open(browser, server, { hash: `#/actor/${worker}` });
  await page.locator(".incarnation", { hasText: "incarnation 1" }).waitFor();
  await unlock(page);
  await page.locator(".lock[data-state=open]").waitFor();
  await page.getByRole("button", { name: "Kill", exact: true }).click();
  await page.locator("dialog").getByRole("button", { name: "Kill" }).click();
  await page.locator(".toast", { hasText: "Killed stock" }).waitFor();
  assert.equal(await page.locator(".toast span").textContent(), "Killed stock");
  await page.locator(".incarnation", { hasText: "incarnation 2" }).waitFor();
  await page.locator(".mark.large[data-state=running]").waitFor();
  await page.locator(".card .event-detail", { hasText: "killed" }).first().waitFor();
  const { actor } = await server.get(`/processes/${worker}`);
  assert.equal(actor.incarnation, 2);
  await close(page);
});

test("suspended actor is shown as that, and is resumed", async () => {
  const actor = await identity(server, "shop/stock");
  const page = await open(browser, server, { hash: `#/tree?actor=${actor}` });
  await unlock(page);
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.locator(".mark.large[data-state=suspended]").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".mark.large[data-state=running]").waitFor();
  await close(page);
});

test("dead job is retried and completes", async () => {
  await server.tell("poison 1");
  const page = await open(browser, server, { hash: "#/pools" });
  await page.locator(".pool-name", { hasText: "shop/mails" }).click();
  const dead = page.locator(".table .row").filter({ has: page.locator(".tag", { hasText: "dead" }) });
  await dead.first().waitFor();
  await dead.locator("a").first().click();
  await page.getByText("the address is unknown").first().waitFor();
  await page.goBack();
  await server.tell("cure");
  await unlock(page);
  await dead.getByRole("button", { name: "Retry" }).first().click();
  await page.locator(".toast[data-tone=ok]").waitFor();
  await dead.first().waitFor({ state: "detached" });
  assert.equal((await server.get("/pools")).items[0].dead, 0);
  await close(page);
});

test("dead jobs are retried by filter", async () => {
  await server.tell("poison 5");
  const page = await open(browser, server, { hash: "#/pools" });
  await page.locator(".pool-name", { hasText: "shop/mails" }).click();
  await unlock(page);
  await server.tell("cure");
  await page.getByRole("button", { name: "Retry dead jobs" }).click();
  await page.locator("dialog").getByRole("button", { name: "Retry" }).click();
  await page.getByText("Retried dead jobs of shop/mails: 5 jobs").waitFor();
  await close(page);
});

test("text from the system is never read as markup", async () => {
  const page = await open(browser, server);
  const hostile = "<img src=x onerror=alert(1)>";
  await row(page, hostile).waitFor();
  assert.equal(await page.locator("#main img").count(), 0);
  await close(page);
});

test("system of a hundred thousand children is scrolled to its end", async () => {
  await server.tell("crowd 100000");
  const page = await open(browser, server);
  await row(page, "crowd").locator(".twist").click();
  await page.getByText(/100,0\d\d rows/).waitFor();
  const rows = page.locator(".tree .rows");
  await page.evaluate(() => {
    window.longest = 0;
    let last = performance.now();
    const frame = (now) => {
      window.longest = Math.max(window.longest, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  for (let part = 1; part <= 40; part += 1) {
    await rows.evaluate((element, to) => (element.scrollTop = to * element.scrollHeight), part / 40);
    await page.waitForTimeout(25);
  }
  await row(page, "guest-99999").waitFor();
  assert.ok((await page.locator(".tree-row").count()) < 120, "only the seen rows have elements");
  const longest = await page.evaluate(() => window.longest);
  // A page that is frozen draws nothing for seconds.
  assert.ok(longest < 1000, `no frame for ${longest} ms`);
  await row(page, "guest-99999").getByRole("link").click();
  await page.locator(".pane .card-title", { hasText: "guest-99999" }).waitFor();
  await close(page);
  await server.tell("crowd 0");
});

test("card that waits for its actor gives way to one that looks the same", async () => {
  const page = await open(browser, server);
  const [vault, stock] = [await identity(server, "shop/vault"), await identity(server, "shop/stock")];
  // There is no answer.
  await page.route(`**/processes/${vault}`, () => {});
  const isWaiting = (card) => card.filter({ hasText: "…" }).waitFor();
  const isThere = (card) => card.filter({ hasText: "stock" }).waitFor();
  const beside = page.locator(".pane .card-title");
  await row(page, "vault").click();
  await isWaiting(beside);
  await row(page, "stock").click();
  await isThere(beside);
  const alone = page.locator("#main > .card .card-title");
  for (const [actor, isShown] of [
    [vault, isWaiting],
    [stock, isThere],
  ]) {
    await page.evaluate((hash) => (location.hash = hash), `#/actor/${actor}`);
    await isShown(alone);
  }
  await close(page);
});
