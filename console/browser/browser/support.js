// What the tests share: a server with a small tree, and a browser that fails a test on any error.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/// The browser says that the server did not answer.
export const OFFLINE =
  /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;

/// The token of the server.
export const TOKEN = "browser-tests-0123456789";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = process.env.CONSOLE_SERVER ?? `${ROOT}target/debug/examples/browser_tests`;

/// A process with a tree and a console. It does what it is told, a line at a time.
export class Server {
  /// Starts a process. Its console listens at the port of `address` again, if one is given. With
  /// `read-only` as its option it has no token.
  static async start(address = "127.0.0.1:0", ...options) {
    const server = new Server();
    server.process = spawn(PROGRAM, [address, ...options], { stdio: ["pipe", "pipe", "inherit"] });
    server.lines = createInterface(server.process.stdout)[Symbol.asyncIterator]();
    const { value } = await server.lines.next();
    assert.ok(value?.startsWith("http://"), `the server says ${value}`);
    server.url = value.replace(/\/$/, "");
    return server;
  }

  /// Gives a command and waits until it is done. Returns what the server says.
  async tell(command) {
    this.process.stdin.write(`${command}\n`);
    const { value } = await this.lines.next();
    assert.ok(value?.startsWith("ok"), `${command}: ${value}`);
    return value.slice(3);
  }

  /// Asks the API.
  async get(path) {
    return (await fetch(`${this.url}/api/v1${path}`)).json();
  }

  async stop() {
    this.process.stdin.end();
    if (this.process.exitCode === null) await once(this.process, "exit");
  }

  async kill() {
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }
}

/// Starts the browser.
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
}

/// Opens a page. `errors` gets what the browser complains about. What a test expects is matched by
/// `expected`.
export async function open(browser, server, { hash = "#/tree", expected = null, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const errors = [];
  const note = (text) => expected?.test(text) || errors.push(text);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) note(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => note(error.stack));
  page.errors = errors;
  await page.goto(`${server.url}/${hash}`);
  await page.locator(".connection[data-state=live]").waitFor();
  return page;
}

/// Closes a page, and fails if the browser complained.
export async function close(page) {
  await page.context().close();
  assert.deepEqual(page.errors, []);
}

/// Enters the token.
export async function unlock(page, token = TOKEN) {
  await page.locator(".lock").click();
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Use it" }).click();
}

/// The row of the tree with an id.
export function row(page, id) {
  return page.locator(".tree-row").filter({ has: page.getByRole("link", { name: id, exact: true }) });
}

/// The identity of the actor at a path.
export async function identity(server, path) {
  const { items } = await server.get(`/processes?limit=500&q=${encodeURIComponent(path)}`);
  return items.find((item) => item.label === path).identity;
}
