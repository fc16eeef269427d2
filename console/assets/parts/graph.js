// Places the nodes of a small directed graph, so that most edges lead to the right.

/// Returns `{ nodes: Map(id -> {x, y}), width, height }`. The nodes of a cycle stand in a circle, and
/// what waits for them to the left of it.
export function layout(ids, edges, cycles, { column = 220, row = 64, margin = 90 } = {}) {
  const nodes = new Map();
  let bottom = 0;
  for (const cycle of cycles)
    bottom = circle(
      nodes,
      cycle.filter((id) => !nodes.has(id)),
      bottom,
      margin,
    );
  const ranks = rank(
    ids.filter((id) => !nodes.has(id)),
    edges,
  );
  const rows = new Map();
  for (const [id, level] of ranks) {
    const at = rows.get(level) ?? 0;
    rows.set(level, at + 1);
    nodes.set(id, { x: margin + level * column, y: bottom + 40 + at * row });
  }
  const all = [...nodes.values()];
  const top = Math.min(...all.map((node) => node.y)) - 50;
  for (const node of all) node.y -= top;
  return {
    nodes,
    width: Math.max(360, ...all.map((node) => node.x + margin)),
    height: Math.max(...all.map((node) => node.y)) + 50,
  };
}

/// Places the nodes of a cycle in an ellipse below `top`. Returns where it ends.
function circle(nodes, cycle, top, margin) {
  if (cycle.length === 0) return top;
  const [across, down] = [Math.max(170, cycle.length * 46), Math.max(80, cycle.length * 30)];
  cycle.forEach((id, index) => {
    const angle = (2 * Math.PI * index) / cycle.length - Math.PI;
    nodes.set(id, {
      x: margin + across * (1 + Math.cos(angle)),
      y: top + 40 + down * (1 + Math.sin(angle)),
    });
  });
  return top + 2 * down + 80;
}

/// Returns the number of edges between a node and the start of the longest chain to it.
export function rank(ids, edges) {
  const levels = new Map(ids.map((id) => [id, 0]));
  // An acyclic graph is done after as many rounds as it has nodes.
  for (let round = 0; round < ids.length; round += 1) {
    let changed = false;
    for (const { from, to } of edges) {
      if (!levels.has(from) || !levels.has(to) || levels.get(to) > levels.get(from)) continue;
      if (levels.get(from) + 1 >= ids.length) continue;
      levels.set(to, levels.get(from) + 1);
      changed = true;
    }
    if (!changed) break;
  }
  return levels;
}
