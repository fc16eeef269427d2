// The views: their addresses, titles, keys and icons. `main.js` has their code.

/// Paths of the icons in a box of 20.
const ICONS = {
  tree: "M4 4h5M7 4v12M7 9h5M7 15h5M13 9h3M13 15h3",
  processes: "M3 5h14M3 10h10M3 15h6",
  crashes: "M11 2L5 11h4l-1 7 7-10h-4z",
  "dead-letters": "M3 5h14v10H3zM3 5l7 6 7-6",
  pools: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  queues: "M3 4h14v4H3zM3 12h14v4H3zM6 6h.01M6 14h.01",
  nodes: "M10 3v5M10 8L4 14M10 8l6 6M8 3h4M2 14h4v3H2zM14 14h4v3h-4z",
  registry: "M4 3h12v14H4zM7 7h6M7 10h6M7 13h4",
  waits: "M4 10a6 6 0 0 1 10-4.5M16 10a6 6 0 0 1-10 4.5M14 2v4h-4M6 18v-4h4",
  timeline: "M3 10h14M6 6v8M10 4v12M14 7v6",
  shutdown: "M10 2v8M6 5a6.5 6.5 0 1 0 8 0",
  audit: "M5 2h10v16H5zM8 7l1 1 2-2M8 12l1 1 2-2",
};

/// All views in the order of the navigation. The first four are in the bar of a small screen.
export const VIEWS = [
  { name: "tree", title: "Tree", key: "t" },
  { name: "processes", title: "Processes", key: "p" },
  { name: "crashes", title: "Crashes", key: "c" },
  { name: "pools", title: "Pools", key: "j" },
  { name: "queues", title: "Queues", key: "q" },
  { name: "dead-letters", title: "Dead letters", key: "d" },
  { name: "registry", title: "Registry", key: "r" },
  { name: "nodes", title: "Nodes", key: "n" },
  { name: "waits", title: "Waits", key: "w" },
  { name: "timeline", title: "Timeline", key: "l" },
  { name: "shutdown", title: "Shutdown", key: "s" },
  { name: "audit", title: "Audit", key: "a" },
].map((view) => ({ ...view, icon: ICONS[view.name] }));

/// In which view an address is that is none itself.
export const PARENTS = {
  actor: "tree",
  pool: "pools",
  job: "pools",
  queue: "queues",
  "durable-job": "queues",
};
