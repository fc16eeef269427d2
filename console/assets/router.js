// Addresses of views: `#/actor/12?tab=events`. Each state that is worth a link has one.

import { query } from "./api.js";

/// Reads the part of an address after `#`.
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#?\/?/, "").split("?");
  const [view, ...rest] = path.split("/").filter(Boolean).map(decode);
  return {
    view: view ?? "tree",
    rest,
    parameters: Object.fromEntries(new URLSearchParams(search)),
  };
}

/// A `%` that begins no code stays as it is: addresses are typed by people too.
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/// Returns the address of a view.
export function link(view, rest = [], parameters = {}) {
  const path = [view, ...rest].map((part) => encodeURIComponent(part)).join("/");
  return `#/${path}${query(parameters)}`;
}

/// Goes to an address.
export function go(hash) {
  location.hash = hash;
}

/// Changes parameters of the current address. No entry of the history is made for them.
export function setParameters(changes) {
  const { view, rest, parameters } = parse(location.hash);
  const hash = link(view, rest, { ...parameters, ...changes });
  if (hash !== location.hash) history.replaceState(null, "", hash);
}
