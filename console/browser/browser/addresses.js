// All views with something in them, and their addresses.

/// Gives a server what the views show.
export async function prepare(server) {
  await server.tell("lose");
  await server.tell("crash till");
  await server.tell("poison 3");
  await server.tell("letters 3");
  await server.tell("wait");
  // An action without the token is refused, which the audit log has.
  const { identity } = (await server.get("/processes?q=stock&limit=1")).items[0];
  const headers = { "Content-Type": "application/json" };
  await fetch(`${server.url}/api/v1/processes/${identity}/kill`, { method: "POST", headers, body: "{}" });
}

/// Returns the address of each view by its name.
async function addresses(server) {
  const crash = (await server.get("/crashes?limit=1")).items[0].sequence;
  const pool = (await server.get("/pools")).items[0].identity;
  const job = (await server.get(`/pools/${pool}/jobs?state=dead&limit=1`)).items[0].id;
  const actor = (await server.get("/processes?q=till&limit=1")).items[0].identity;
  return {
    tree: "#/tree",
    card: `#/tree?actor=${actor}`,
    actor: `#/actor/${actor}`,
    processes: "#/processes",
    crashes: "#/crashes",
    crash: `#/crashes/${crash}`,
    letters: "#/dead-letters",
    pools: "#/pools",
    pool: `#/pool/${pool}`,
    job: `#/job/${pool}/${job}`,
    queues: "#/queues",
    queue: "#/queue/post/letters",
    "durable-job": "#/durable-job/post/1",
    registry: "#/registry",
    keys: "#/registry?kind=keys",
    groups: "#/registry?kind=groups",
    topics: "#/registry?kind=topics",
    nodes: "#/nodes",
    "placed-names": "#/nodes?kind=names",
    "node-tree": "#/tree?node=b",
    waits: "#/waits",
    timeline: "#/timeline",
    shutdown: "#/shutdown",
    audit: "#/audit",
    nowhere: "#/nowhere",
  };
}

/// Shows each view, and calls `look` with its name.
export async function visit(page, server, look) {
  for (const [name, hash] of Object.entries(await addresses(server))) {
    const stops = name === "shutdown";
    if (stops) await server.tell("stop vault");
    await page.goto(`${server.url}/${hash}`);
    await settle(page);
    if (stops) await page.locator(".remaining li").waitFor();
    await look(name);
    if (stops) await server.tell("release vault");
  }
}

/// Waits until a view has what it shows.
async function settle(page) {
  await page.locator(".connection[data-state=live]").waitFor();
  await page.waitForFunction(
    () =>
      !document.querySelector("#main .skeleton, #main .waiting") &&
      document.querySelector("#main").childElementCount > 0,
  );
  await page.waitForTimeout(250);
}
