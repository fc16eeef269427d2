// Every action of the page does what it says, and the page tells what came of it.

import assert from "node:assert/strict";
import { beforeEach, afterEach, test } from "node:test";
import { browser, server } from "./shared.js";
import { close, identity, open, unlock } from "./support.js";

let page;

beforeEach(async () => {
  page = await open(browser, server, { expected: /status of 422/ });
  await unlock(page);
  await page.locator(".lock[data-state=open]").waitFor();
});
afterEach(() => close(page));

/// Presses a button of the view, and the one that confirms it if one is named.
async function press(name, confirmation) {
  await page.locator("#main").getByRole("button", { name, exact: true }).first().click();
  if (confirmation) await page.locator("dialog").getByRole("button", { name: confirmation }).click();
}

/// Waits for a notice of an action, and returns what it says. That of a crash is a link.
async function told() {
  const notice = page.locator(".toast", { has: page.locator("span") }).last();
  await notice.waitFor();
  const text = await notice.locator("span").textContent();
  await notice.getByRole("button", { name: "Dismiss" }).click();
  return text;
}

/// Waits until the server says that something is so. What it says may be a quarter of a second old.
async function until(read, wanted) {
  let value;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    value = await read();
    if (value === wanted) return;
    await page.waitForTimeout(50);
  }
  assert.equal(value, wanted);
}

const actor = (id) => server.get(`/processes/${id}`);
const pool = async () => (await server.get("/pools")).items[0];
const go = (hash) => page.goto(`${server.url}/${hash}`);

/// Shows an actor, and returns its identity.
async function show(path) {
  const id = await identity(server, path);
  await go(`#/actor/${id}`);
  await page.locator(".incarnation", { hasText: "incarnation" }).waitFor();
  return id;
}

async function showPool() {
  await go(`#/pool/${(await pool()).identity}`);
  await page.locator("h1", { hasText: "shop/mails" }).waitFor();
}

test("stop ends the incarnation, and its supervisor starts the next one", async () => {
  const id = await show("shop/stock");
  const before = (await actor(id)).actor.incarnation;
  await press("Stop", "Stop");
  assert.equal(await told(), "Stopped stock");
  await until(async () => (await actor(id)).actor.incarnation, before + 1);
  await page.locator(".event-detail", { hasText: "stopped in the console" }).first().waitFor();
});

test("kill ends the incarnation at once", async () => {
  const id = await show("shop/stock");
  const before = (await actor(id)).actor.incarnation;
  await press("Kill", "Kill");
  assert.equal(await told(), "Killed stock");
  await until(async () => (await actor(id)).actor.incarnation, before + 1);
});

test("restart is that of the supervisor", async () => {
  const id = await show("shop/stock");
  const before = (await actor(id)).actor.incarnation;
  await press("Restart", "Restart");
  assert.equal(await told(), "Restarted stock");
  await until(async () => (await actor(id)).actor.incarnation, before + 1);
});

test("suspended actor offers to be resumed", async () => {
  const id = await show("shop/stock");
  await press("Suspend");
  assert.equal(await told(), "Suspended stock");
  await until(async () => (await actor(id)).actor.suspended, true);
  await press("Resume");
  assert.equal(await told(), "Resumed stock");
  await until(async () => (await actor(id)).actor.suspended, false);
});

test("question that is answered with no changes nothing", async () => {
  const id = await show("shop/stock");
  const before = (await actor(id)).actor.incarnation;
  await press("Kill", "Cancel");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.equal(await page.locator(".toast").count(), 0);
  assert.equal((await actor(id)).actor.incarnation, before);
});

test("debug message is made of the text, and one that is none is told", async () => {
  const id = await show("shop/till");
  const before = (await actor(id)).actor.incarnation;
  const send = async (text) => {
    await press("Send debug message");
    await page.getByLabel("Text").fill(text);
    await page.locator("dialog").getByRole("button", { name: "Send" }).click();
    return told();
  };
  assert.equal(await send("dance"), 'Not done: the till does not understand "dance"');
  assert.equal(await send("crash"), "Sent to till");
  await until(async () => (await actor(id)).actor.incarnation, before + 1);
  await page.getByText("the drawer is stuck").first().waitFor();
});

test("actor that takes no texts offers no debug message", async () => {
  await show("shop/stock");
  await page.getByRole("button", { name: "Kill", exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Send debug message" }).count(), 0);
});

test("paused pool starts no job, and a job that waits is cancelled", async () => {
  await showPool();
  await press("Pause");
  assert.equal(await told(), "Paused shop/mails");
  await page.locator(".tag", { hasText: "paused" }).waitFor();
  await server.tell("mail 2");
  await press("Cancel", "Cancel the job");
  assert.match(await told(), /^Cancelled job "?mail \d to a customer"?$/);
  await until(async () => (await pool()).info.stats.queued, 1);
  await press("Resume");
  assert.equal(await told(), "Resumed shop/mails");
  await until(async () => (await pool()).info.stats.completed, 1);
});

test("resize sets the number of workers", async () => {
  await showPool();
  await press("Resize");
  await page.getByLabel("Workers").fill("5");
  await page.locator("dialog").getByRole("button", { name: "Resize" }).click();
  assert.equal(await told(), "Resized shop/mails");
  await until(async () => (await pool()).info.stats.workers.ready, 5);
  await page.getByText("5 of 5 workers").waitFor();
  await page.locator(".worker").nth(4).waitFor();
});

test("rolling restart restarts every worker", async () => {
  await showPool();
  const incarnations = async () =>
    (await pool()).workers.map(({ identity: id, incarnation }) => `${id}.${incarnation}`);
  const before = await incarnations();
  await press("Restart workers", "Restart");
  assert.equal(await told(), "Restarted the workers of shop/mails");
  const now = await incarnations();
  assert.equal(now.length, before.length);
  assert.ok(!now.some((worker) => before.includes(worker)), `${before} ${now}`);
});

test("drain is told when the pool is idle, and that it goes on until then", async () => {
  await showPool();
  await press("Drain");
  assert.equal(await told(), "Drained shop/mails");
  await press("Pause");
  await told();
  await server.tell("mail 1");
  await press("Drain");
  assert.equal(await told(), "Drain shop/mails: jobs are left");
  await press("Resume");
  await told();
  await until(async () => (await pool()).info.stats.queued, 0);
});

test("dead job is dropped by its button, and the rest by their error", async () => {
  await server.tell("poison 3");
  await showPool();
  await page.getByLabel("State").selectOption("dead");
  await page.locator(".table .row .tag", { hasText: "dead" }).nth(2).waitFor();
  await page.locator(".table .row").getByRole("button", { name: "Drop" }).first().click();
  await page.locator("dialog").getByRole("button", { name: "Drop" }).click();
  assert.match(await told(), /^Dropped job /);
  assert.equal((await pool()).dead, 2);
  await page.getByLabel("Filter by job or error").fill("no such error");
  await page.getByText("No job is like this").waitFor();
  await press("Drop dead jobs", "Drop");
  assert.equal(await told(), "Dropped dead jobs of shop/mails: 0 jobs");
  await page.getByLabel("Filter by job or error").fill("the address is unknown");
  await page.locator(".table .row .tag", { hasText: "dead" }).nth(1).waitFor();
  await press("Drop dead jobs", "Drop");
  assert.equal(await told(), "Dropped dead jobs of shop/mails: 2 jobs");
  await until(async () => (await pool()).dead, 0);
  await page.getByText("No job is like this").waitFor();
});

test("states of the filter are those that the server knows", async () => {
  await showPool();
  const states = await page
    .getByLabel("State")
    .locator("option")
    .evaluateAll((all) => all.map((o) => o.value));
  for (const state of states.filter(Boolean)) {
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().includes(`state=${state}`)),
      page.getByLabel("State").selectOption(state),
    ]);
    assert.equal(answer.status(), 200, state);
  }
});

test("dead letter is sent again once", async () => {
  const id = await identity(server, "shop/vault");
  await server.tell("lose");
  const handled = async () => (await actor(id)).account.handled;
  const before = await handled();
  await go("#/dead-letters");
  const letter = page.locator(".table .row[aria-rowindex='1']");
  await letter.filter({ hasText: "shop/vault" }).waitFor();
  await letter.getByRole("button", { name: "Send again" }).click();
  assert.equal(await told(), "Sent again to shop/vault");
  await until(handled, before + 1);
  await letter.getByRole("button", { name: "Send again" }).waitFor({ state: "detached" });
  await go(`#/actor/${id}`);
  await page.getByText("at most 1 of 256 messages is timed").waitFor();
});

test("actions are in the audit log, with what came of them", async () => {
  await show("shop/stock");
  await press("Suspend");
  await told();
  await press("Resume");
  await told();
  await go("#/audit");
  const first = page.locator(".table .row[aria-rowindex='1']");
  await first
    .filter({ hasText: "resume" })
    .filter({ hasText: "shop/stock" })
    .filter({ hasText: "done" })
    .waitFor();
});
