// The search: actors by path and type, names, views.

import { get } from "./api.js";
import { h, replace, setAttribute } from "./dom.js";
import { go, link } from "./router.js";
import { VIEWS } from "./views.js";

const WAIT = 120;

/// The field, with a list of what was found below it.
export function searchField() {
  const input = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search actors and names",
    role: "combobox",
    "aria-label": "Search",
    "aria-expanded": "false",
    "aria-controls": "found",
    "aria-autocomplete": "list",
    autocomplete: "off",
  });
  const list = h("ul", {
    id: "found",
    class: "found",
    role: "listbox",
    "aria-label": "Found",
    hidden: true,
  });
  const state = { input, list, items: [], at: -1, abort: null, timer: null };
  input.addEventListener("input", () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => find(state), WAIT);
  });
  input.addEventListener("keydown", (event) => press(state, event));
  input.addEventListener("blur", () => setTimeout(() => close(state), 150));
  return h("div", { class: "search" }, input, h("kbd", { "aria-hidden": "true" }, "/"), list);
}

async function find(state) {
  const q = state.input.value.trim();
  state.abort?.abort();
  if (!q) return close(state);
  state.abort = new AbortController();
  const { signal } = state.abort;
  try {
    const [processes, names] = await Promise.all([
      get("/processes", { q, limit: 8, sort: "name" }, { signal }),
      get("/names", { q, limit: 4 }, { signal }),
    ]);
    show(
      state,
      [
        ...VIEWS.filter((view) => view.title.toLowerCase().includes(q.toLowerCase())).map((view) =>
          found("view", view.title, link(view.name)),
        ),
        ...names.items.map(({ name, identity }) => found("name", name, link("actor", [identity]))),
        ...processes.items.map(({ label, identity }) => found("actor", label, link("actor", [identity]))),
      ],
      processes.total,
    );
  } catch (error) {
    if (error.name !== "AbortError") show(state, [], 0, error.message);
  }
  return undefined;
}

function found(kind, text, href) {
  return { kind, text, href };
}

function show(state, items, total, problem) {
  Object.assign(state, { items, at: items.length ? 0 : -1 });
  const options = items.map((item, index) =>
    h(
      "li",
      {
        id: `found-${index}`,
        role: "option",
        on: {
          pointerdown: (event) => (event.preventDefault(), choose(state, index)),
        },
      },
      h("span", { class: "found-kind" }, item.kind),
      h("span", { class: "found-text" }, item.text),
    ),
  );
  const note =
    problem ??
    (items.length === 0
      ? "Nothing has this in its path, type or name."
      : total > 8
        ? `${total} actors in all: the view Processes lists them.`
        : null);
  replace(state.list, options, note && h("li", { class: "found-note", role: "presentation" }, note));
  state.list.hidden = false;
  state.input.setAttribute("aria-expanded", "true");
  point(state);
}

function point(state) {
  [...state.list.querySelectorAll("[role=option]")].forEach((option, index) =>
    option.setAttribute("aria-selected", String(index === state.at)),
  );
  setAttribute(state.input, "aria-activedescendant", state.at >= 0 ? `found-${state.at}` : null);
}

function press(state, event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps && state.items.length) {
    event.preventDefault();
    state.at = (state.at + steps[event.key] + state.items.length) % state.items.length;
    point(state);
  } else if (event.key === "Enter" && state.at >= 0) choose(state, state.at);
  else if (event.key === "Escape") {
    close(state);
    state.input.blur();
  }
}

function choose(state, index) {
  go(state.items[index].href);
  state.input.value = "";
  close(state);
  state.input.blur();
}

function close(state) {
  state.list.hidden = true;
  state.items = [];
  state.input.setAttribute("aria-expanded", "false");
  state.input.removeAttribute("aria-activedescendant");
}
