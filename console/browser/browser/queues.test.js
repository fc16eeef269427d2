// Durable queues: a dead job is shown with its attempts, and retried; a queue is paused and resumed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, server } from "./shared.js";
import { close, open, unlock } from "./support.js";

const figure = (page, state) =>
  page.locator("#main .figure", { has: page.locator(`.figure-name:text-is("${state}")`) });

test("dead durable job is shown with its attempts and retried by the page", async () => {
  const page = await open(browser, server, { hash: "#/queues" });
  await page.getByText("No queue has a job or is paused.").waitFor();
  await server.tell("letters 120");
  await unlock(page);
  await figure(page, "dead").filter({ hasText: "1" }).click();
  await page.getByRole("heading", { name: "letters" }).waitFor();
  await page.locator(".durable-job").getByText("the customer has moved").waitFor();
  assert.equal(await page.locator(".durable-job").count(), 1);
  await page.getByRole("link", { name: /letter 0 to a customer/ }).click();
  await page.getByRole("heading", { name: "Job 1", exact: true }).waitFor();
  const attempts = page.locator(".attempt");
  await attempts.last().waitFor();
  assert.equal(await attempts.count(), 2);
  assert.match(await attempts.first().textContent(), /Attempt 1failed.*took 2\.0 s.*the box is full/);
  assert.match(await attempts.last().textContent(), /Attempt 2failed.*the customer has moved/);
  await page.locator("#main").getByRole("button", { name: "Retry", exact: true }).click();
  await page.locator(".toast", { hasText: "Retried job 1" }).waitFor();
  await page.locator(".facts .tag", { hasText: "queued" }).waitFor();
  assert.equal((await server.get("/stores/post/jobs/1")).job.state, "queued");
  await page.locator("#main").getByRole("button", { name: "Cancel", exact: true }).waitFor();
  await close(page);
});

test("queue is read in parts, paused and resumed", async () => {
  const page = await open(browser, server, { hash: "#/queue/post/letters?state=queued" });
  await unlock(page);
  const seen = new Set();
  const rows = page.locator(".durable-job .row-link");
  const { total } = await server.get("/stores/post/queues/letters/jobs?state=queued");
  for (const expected of [50, 50, total - 100]) {
    const isNew = (last) => last !== null && !seen.has(last);
    await page.waitForFunction(
      (known) => {
        const last = document.querySelector(".durable-job:last-child .row-link")?.textContent;
        return last && !known.includes(last);
      },
      [...seen],
    );
    const names = await rows.allTextContents();
    assert.equal(names.length, expected);
    assert.ok(names.every(isNew));
    names.forEach((name) => seen.add(name));
    if (expected === 50) await page.getByRole("button", { name: "Next", exact: true }).click();
  }
  assert.equal(await page.getByRole("button", { name: "Next", exact: true }).count(), 0);
  await page.getByRole("button", { name: "First", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll(".durable-job").length === 50);
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.locator("#main .tag", { hasText: "paused" }).waitFor();
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
  assert.equal((await server.get("/stores"))[0].queues[0].paused, false);
  await close(page);
});

test("store that is not there is told", async () => {
  const page = await open(browser, server, { hash: "#/queue/none/letters", expected: /status of 404/ });
  await page.getByText("The console has no such store").waitFor();
  await close(page);
});
