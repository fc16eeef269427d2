// The nodes of a cluster: their connections, where names live, and the tree of another node.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, server } from "./shared.js";
import { close, open, row } from "./support.js";

test("node of the list leads to its tree, and the choice to that of another", async () => {
  const page = await open(browser, server, { hash: "#/nodes" });
  const nodes = page.locator("#main .row:not(.head)");
  await nodes.nth(4).waitFor();
  assert.match(await nodes.nth(0).textContent(), /^athis node$/);
  assert.match(await nodes.nth(1).textContent(), /^bconnected70 µs25 %3/);
  await page.getByRole("link", { name: "b", exact: true }).click();
  await page.waitForURL(/tree\?node=b/);
  await page.getByText(/1 more did not fit/).waitFor();
  await row(page, "till").waitFor();
  // An actor of another node has no card.
  await row(page, "till").click();
  assert.equal(await page.locator(".pane:not([hidden])").count(), 0);
  await row(page, "shop").locator(".twist").click();
  await row(page, "till").waitFor({ state: "detached" });
  await page.getByLabel("Node", { exact: true }).selectOption("");
  await page.waitForURL(/#\/tree$/);
  await row(page, "till").waitFor();
  await close(page);
});

test("node that shows no tree, or none in time, says so", async () => {
  const page = await open(browser, server, { hash: "#/tree?node=c", expected: /status of (404|503)/ });
  await page.getByText("the node does not show its trees to others").waitFor();
  await page.getByLabel("Node", { exact: true }).selectOption("d");
  await page.getByText("the node has not answered within 3 seconds").waitFor();
  await close(page);
});

test("name is found with the nodes that have it", async () => {
  const page = await open(browser, server, { hash: "#/nodes?kind=names" });
  const names = page.locator("#main .row:not(.head)");
  await names.nth(1).waitFor();
  await page.getByLabel("Filter", { exact: true }).fill("CART");
  await page.waitForURL(/q=CART/);
  await names.nth(1).waitFor({ state: "detached" });
  assert.match(await names.first().textContent(), /^cartba$/);
  await page.getByRole("link", { name: "b", exact: true }).click();
  await page.getByText(/1 more did not fit/).waitFor();
  await close(page);
});
