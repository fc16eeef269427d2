// Requests from elsewhere, or without the token, change nothing.

import assert from "node:assert/strict";
import http from "node:http";
import { before, test } from "node:test";
import { browser, server } from "./shared.js";
import { close, identity, open, Server, TOKEN, unlock } from "./support.js";

let stock;

before(async () => {
  stock = await identity(server, "shop/stock");
});

/// Sends a request with headers that `fetch` does not let a program set.
function request(path, { method = "GET", headers = {}, body } = {}) {
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const incarnation = async () => (await server.get(`/processes/${stock}`)).actor.incarnation;

test("wrong token is refused, told, and in the audit log", async () => {
  const page = await open(browser, server, { hash: `#/actor/${stock}`, expected: /401/ });
  await unlock(page, "wrong-token-0123456789");
  await page.getByText("wrong token").waitFor();
  await page.getByRole("button", { name: "Kill", exact: true }).click();
  await page.locator("dialog").getByRole("button", { name: "Kill" }).click();
  await page.getByText("Token for actions").waitFor();
  await page.locator("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(await incarnation(), 1);
  await page.goto(`${server.url}/#/audit`);
  await page.locator(".row", { hasText: "kill" }).filter({ hasText: "unauthorized" }).first().waitFor();
  await close(page);
});

test("token is kept in the tab only", async () => {
  const page = await open(browser, server);
  await unlock(page);
  await page.locator(".lock[data-state=open]").waitFor();
  const kept = await page.evaluate(() =>
    [JSON.stringify(localStorage), document.cookie, location.href].join(),
  );
  assert.ok(!kept.includes(TOKEN));
  const other = await page.context().newPage();
  await other.goto(server.url);
  await other.locator(".lock[data-state=locked]").waitFor();
  await close(page);
});

test("foreign host is refused", async () => {
  for (const path of ["/", "/api/v1/overview", "/api/v1/events/stream"]) {
    const { statusCode } = await request(path, { headers: { Host: "evil.example" } });
    assert.equal(statusCode, 403, path);
  }
  assert.equal((await request("/api/v1/overview", { headers: { Host: "localhost" } })).statusCode, 200);
});

test("page of a foreign origin neither reads nor acts", async () => {
  const evil = http.createServer((_, answer) => answer.end("<!doctype html><title>evil</title>"));
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${evil.address().port}/`);
  const outcomes = await page.evaluate(
    async ([url, target, token]) => {
      const act = {
        method: "POST",
        body: "{}",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      };
      const simple = {
        method: "POST",
        body: "{}",
        headers: { "Content-Type": "text/plain" },
        mode: "no-cors",
      };
      const attempts = [
        fetch(`${url}/api/v1/overview`),
        fetch(`${url}/api/v1/processes/${target}/kill`, act),
        fetch(`${url}/api/v1/processes/${target}/kill`, simple),
      ];
      return (await Promise.allSettled(attempts)).map(({ status, value }) => value?.type ?? status);
    },
    [server.url, stock, TOKEN],
  );
  assert.deepEqual(outcomes, ["rejected", "rejected", "opaque"]);
  await page.close();
  evil.close();
  const headers = {
    Origin: "http://evil.example",
    Authorization: `Bearer ${TOKEN}`,
    "Content-Type": "application/json",
  };
  const answer = await request(`/api/v1/processes/${stock}/kill`, { method: "POST", headers, body: "{}" });
  assert.equal(answer.statusCode, 403);
  assert.equal(await incarnation(), 1);
});

test("page allows nothing from elsewhere and no inline code", async () => {
  const { headers } = await request("/");
  assert.match(headers["content-security-policy"], /default-src '(none|self)'/);
  assert.doesNotMatch(headers["content-security-policy"], /unsafe/);
  const page = await open(browser, server, { expected: /Content Security Policy/ });
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.injected), undefined);
  await close(page);
});

test("console without a token offers no action", async () => {
  const readOnly = await Server.start(undefined, "read-only");
  await readOnly.tell("poison 1");
  const page = await open(browser, readOnly, { hash: `#/actor/${await identity(readOnly, "shop/stock")}` });
  await page.locator(".incarnation", { hasText: "incarnation 1" }).waitFor();
  await page.locator(".lock[data-state=off]:disabled", { hasText: "read-only" }).waitFor();
  await page.getByRole("button", { name: "Kill" }).waitFor({ state: "hidden" });
  const pool = (await readOnly.get("/pools")).items[0].identity;
  await page.goto(`${readOnly.url}/#/pool/${pool}`);
  await page.locator(".table .tag", { hasText: "dead" }).waitFor();
  for (const name of ["Pause", "Retry", "Drop dead jobs"])
    assert.equal(await page.getByRole("button", { name }).count(), 0, name);
  await close(page);
  await readOnly.stop();
});
