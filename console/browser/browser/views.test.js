// Every view, in both themes and three widths: without an error, and accessible.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { before, test } from "node:test";
import { browser, server } from "./shared.js";
import { close, identity, open } from "./support.js";
import { prepare, visit } from "./addresses.js";

let axe;

before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await prepare(server);
});

/// Returns the violations that hurt a user.
async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return serious.flatMap(({ id, nodes }) =>
      nodes
        .slice(0, 3)
        .map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`),
    );
  });
}

for (const width of [390, 1280, 1920]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`views have no error and no serious violation: ${width} px, ${colorScheme}`, async () => {
      // Colours that are on their way to others have no contrast that could be measured. The policy
      // of the page would not let axe in.
      const page = await open(browser, server, {
        viewport: { width, height: 844 },
        colorScheme,
        reducedMotion: "reduce",
        bypassCSP: true,
      });
      const found = [];
      await visit(page, server, async (name) => {
        found.push(...(await violations(page)).map((text) => `${name}: ${text}`));
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
      });
      assert.deepEqual(found, []);
      await close(page);
    });
  }
}

test("keys lead to the search, the views and the map of keys", async () => {
  const page = await open(browser, server);
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "Processes" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("stock");
  await page.getByRole("option", { name: /shop\/stock/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".card-title", { hasText: "stock" }).waitFor();
  await close(page);
});

test("tree is used by keys alone", async () => {
  const page = await open(browser, server);
  await page.locator(".tree-row").first().waitFor();
  await page.locator(".tree").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowLeft");
  await page.locator(".tree-row[aria-expanded=false]").first().waitFor();
  assert.equal(await page.locator(".tree-row").count(), 1);
  await page.keyboard.press("ArrowRight");
  await page.locator(".tree-row").nth(2).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".pane .card-title").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".pane").waitFor({ state: "hidden" });
  await close(page);
});

test("card of a pool leads to its jobs and workers", async () => {
  const mails = await identity(server, "shop/mails");
  const page = await open(browser, server, { hash: `#/actor/${mails}` });
  await page.getByRole("link", { name: "its jobs and workers" }).click();
  await page.locator("h1", { hasText: "shop/mails" }).waitFor();
  await page.locator(".worker").first().waitFor();
  await close(page);
});

test("key of a table is found and leads to its actor", async () => {
  const page = await open(browser, server, { hash: "#/registry?kind=keys" });
  await page.getByRole("link", { name: '"west door"' }).waitFor();
  await page.getByLabel("Filter", { exact: true }).fill("EAST");
  await page.waitForURL(/q=EAST/);
  await page.getByRole("link", { name: '"west door"' }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: '"east door"' }).click();
  await page.locator(".card-title", { hasText: "east" }).waitFor();
  await close(page);
});

test("address leads to the same state again", async () => {
  const till = await identity(server, "shop/till");
  const page = await open(browser, server, { hash: "#/processes?sort=restarts&q=till" });
  assert.equal(await page.getByLabel("Filter by path or type").inputValue(), "till");
  await page.locator(".row-link", { hasText: "shop/till" }).waitFor();
  await page.getByLabel("Filter by path or type").fill("shop/mails");
  await page.waitForURL(/q=shop%2Fmails/);
  await page.goto(`${server.url}/#/actor/${till}`);
  await page.locator(".card-title", { hasText: "till" }).waitFor();
  await close(page);
});

test("theme is that of the system until another is chosen", async () => {
  const page = await open(browser, server, { colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  await page.keyboard.press("T");
  assert.notEqual(await ground(), dark);
  await page.reload();
  const light = await ground();
  assert.notEqual(light, dark);
  await page.keyboard.press("T");
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await ground(), dark);
  await page.keyboard.press("T");
  assert.equal(await ground(), light);
  await close(page);
});

test("timeline is set back to an earlier moment", async () => {
  const page = await open(browser, server, { hash: "#/timeline" });
  await page.locator(".rows .event").first().waitFor();
  const all = await page.locator(".when").textContent();
  await page.getByLabel("Moment").fill("1");
  await page.waitForFunction((before) => document.querySelector(".when").textContent !== before, all);
  await page.getByText(/up to then/).waitFor();
  await page.getByRole("button", { name: "Live", exact: true }).click();
  await page.getByText(/^now,/).waitFor();
  await close(page);
});
