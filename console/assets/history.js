// The events that the server keeps, and what the user keeps of them.

import { get } from "./api.js";

const PAGE = 500;

/// Fetches the events after a number, page by page. Calls `each` with the events of every page.
export async function eventsAfter(after, each, { signal }) {
  for (;;) {
    const { items, has_more } = await get("/events", { after, limit: PAGE }, { signal });
    if (items.length > 0) each(items);
    if (!has_more) return;
    after = items.at(-1).sequence;
  }
}

/// Offers a value as a JSON file.
export function save(name, value) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
