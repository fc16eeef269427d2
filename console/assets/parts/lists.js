// A view of several lists, of which one is shown.

import { h, replace } from "../dom.js";
import { setParameters } from "../router.js";
import { emptyList, filterField, heading, tabs } from "./small.js";
import { table } from "./table.js";

/// Shows one of the lists, which are options of a table by their kind: the kind of the address, or
/// the first one. `absent` is what an empty list says of a filter.
export function lists(root, { store, parameters, title, about = null, absent, kinds }) {
  const filter = { q: parameters.q ?? "" };
  const body = h("div", { class: "fill" });
  let list = null;
  const show = (kind) => {
    list?.stop();
    const { nothing, ...options } = kinds[kind];
    const empty = () => emptyList(filter.q, absent, ...nothing);
    list = table({ filter, store, empty, ...options });
    body.replaceChildren(list.element);
  };
  const first = Object.hasOwn(kinds, parameters.kind) ? parameters.kind : Object.keys(kinds)[0];
  const labels = Object.entries(kinds).map(([kind, { label }]) => [kind, label]);
  replace(
    root,
    heading(
      title,
      about,
      tabs("Kind", labels, first, (chosen) => {
        setParameters({ kind: chosen });
        show(chosen);
      }),
      filterField("Filter", filter.q, (q) => list.change({ q })),
    ),
    body,
  );
  show(first);
  return {
    /// Loads the seen rows of the shown list again.
    reload: () => list.reload(),
    stop: () => list.stop(),
  };
}
