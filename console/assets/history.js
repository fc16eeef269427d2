// The events that the server keeps: all of them, or those from before this page was opened.

import { get } from "./api.js";

const PAGE = 500;

/// Fetches the events after a number, page by page. Calls `each` with every page.
export async function eventsAfter(after, each, { signal } = {}) {
  let at = after;
  for (;;) {
    const page = await get("/events", { after: at, limit: PAGE }, { signal });
    if (page.items.length > 0) each(page.items, page);
    if (page.items.length < PAGE) return page;
    at = page.items.at(-1).sequence;
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
