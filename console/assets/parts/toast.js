// Short notices at the edge of the page.

import { h } from "../dom.js";

const SHOWN = 6000;
const MOST = 4;

/// Shows a notice. It goes by itself, unless the pointer is on it.
export function toast(text, { tone = "info", href } = {}) {
  const list = document.getElementById("toasts");
  const close = h(
    "button",
    {
      type: "button",
      class: "toast-close",
      "aria-label": "Dismiss",
      on: { click: () => element.remove() },
    },
    "×",
  );
  const content = href ? h("a", { href, on: { click: () => element.remove() } }, text) : h("span", {}, text);
  const element = h("div", { class: "toast", data: { tone } }, content, close);
  let timer = setTimeout(() => element.remove(), SHOWN);
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", () => (timer = setTimeout(() => element.remove(), SHOWN)));
  list.append(element);
  while (list.children.length > MOST) list.firstChild.remove();
}
