// Elements, made without markup: a text from the system is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/// Makes an element. Properties: `class`, `on` (listeners), `data` (data attributes), and
/// attributes. `false`, `null` and `undefined` leave one out, as they do with a child.
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/// Makes an element of SVG.
export function s(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") {
      for (const [key, text] of Object.entries(value)) element.dataset[key] = text;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/// Appends elements and texts, also in nested lists.
export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === false || child === null || child === undefined) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/// Replaces what an element holds, unless that is the same already: then the focus, a selection and
/// a click that has begun survive.
///
/// Not for elements that are changed afterwards: those that look the same would stay in their place.
export function replace(element, ...children) {
  const wanted = append(document.createDocumentFragment(), children);
  const same =
    wanted.childNodes.length === element.childNodes.length &&
    [...wanted.childNodes].every((child, index) => child.isEqualNode(element.childNodes[index]));
  if (!same) {
    element.reconciled = undefined;
    element.replaceChildren(wanted);
  }
  return element;
}

/// Sets a text if it is another one, so that a selection in it survives.
export function setText(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/// Sets or removes an attribute.
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/// Makes the children of `parent` those of `items`, in their order. An item whose key was there
/// keeps its element, which `update` changes. So the focus, a selection and an animation survive.
export function reconcile(parent, items, { key, create, update }) {
  const known = parent.reconciled ?? new Map();
  const next = new Map();
  let before = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    const element = known.get(id) ?? create(item);
    update?.(element, item);
    next.set(id, element);
    if (element === before) before = before.nextSibling;
    else parent.insertBefore(element, before);
  }
  // What comes after the last item is no item any more.
  while (before) {
    const after = before.nextSibling;
    before.remove();
    before = after;
  }
  parent.reconciled = next;
}

/// Repeats an animation of CSS, which the class `name` starts.
export function animate(element, name) {
  element.classList.remove(name);
  // Reading a size ends the animation that runs.
  void element.offsetWidth;
  element.classList.add(name);
  element.addEventListener("animationend", () => element.classList.remove(name), { once: true });
}
