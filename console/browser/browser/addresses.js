// The addresses of all views, of what a server has.

/// Returns the address of each view by its name.
export async function addresses(server) {
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
    registry: "#/registry",
    groups: "#/registry?kind=groups",
    waits: "#/waits",
    timeline: "#/timeline",
    shutdown: "#/shutdown",
    audit: "#/audit",
    nowhere: "#/nowhere",
  };
}

/// Waits until a view has what it shows.
export async function settle(page) {
  await page.locator(".connection[data-state=live]").waitFor();
  await page.waitForFunction(
    () =>
      !document.querySelector("#main .skeleton, #main .waiting") &&
      document.querySelector("#main").childElementCount > 0,
  );
  await page.waitForTimeout(250);
}
