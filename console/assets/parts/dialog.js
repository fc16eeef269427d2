// Dialogs: a question before an action, and the token that actions need.

import { setToken, token } from "../api.js";
import { append, h } from "../dom.js";

/// Shows a dialog and resolves with the value of the button that closed it, or `null`.
export function dialog({ title, body, buttons, focus }) {
  return new Promise((resolve) => {
    const id = `dialog-${dialog.count++}`;
    const form = h("form", { method: "dialog" });
    const element = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
    append(form, [
      h("h2", { id }, title),
      h("div", { class: "dialog-body" }, body),
      h(
        "div",
        { class: "dialog-buttons" },
        buttons.map(([value, text, tone]) =>
          h(
            "button",
            {
              value,
              // Enter presses the first button that submits, which is never the one that does nothing.
              type: value ? "submit" : "button",
              class: "button",
              data: { tone: tone ?? "" },
              on: { click: () => value || element.close() },
            },
            text,
          ),
        ),
      ),
    ]);
    element.addEventListener("close", () => {
      element.remove();
      resolve(element.returnValue || null);
    });
    // A click beside the dialog closes it.
    element.addEventListener("click", (event) => event.target === element && element.close(""));
    document.body.append(element);
    element.showModal();
    (focus ?? element.querySelector(".dialog-buttons button:last-child")).focus();
  });
}
dialog.count = 0;

/// Asks before an action that ends something. Resolves with `true` if it is wanted.
export async function confirm(title, text, verb, tone = "bad") {
  const answer = await dialog({
    title,
    body: h("p", {}, text),
    buttons: [
      ["", "Cancel"],
      ["yes", verb, tone],
    ],
  });
  return answer === "yes";
}

/// Asks for one value. Resolves with it, or with `null`.
export async function askFor(
  title,
  label,
  { text, type = "text", value = "", verb = "Send", ...properties } = {},
) {
  const input = h("input", {
    type,
    value,
    id: "dialog-input",
    autocomplete: "off",
    ...properties,
  });
  const body = [text && h("p", {}, text), h("label", { class: "field", for: "dialog-input" }, label, input)];
  const answer = await dialog({
    title,
    body,
    buttons: [
      ["", "Cancel"],
      ["yes", verb, "accent"],
    ],
    focus: input,
  });
  return answer === "yes" ? input.value : null;
}

/// Asks for the token and keeps it in this tab.
export async function askForToken(
  text = "Actions need the token with which the console was started. It is kept in this tab only.",
) {
  const value = await askFor("Token for actions", "Token", {
    text,
    type: "password",
    value: token() ?? "",
    verb: "Use it",
  });
  if (value !== null) setToken(value.trim());
  return value;
}
