// An actor on a page of its own.

import { replace } from "../dom.js";
import { ActorCard } from "./actor_card.js";

export function mount(root, { store, rest }) {
  const card = new ActorCard(store, rest[0]);
  replace(root, card.element);
  return card;
}
