/** Refuses texts and conditions that ask for what cannot be there. */
import type { Definition } from "../model.ts";
import { referencesOf, stepMeant, type Unseen } from "../references.ts";
import { Place } from "./fields.ts";

export const UNSEEN: Readonly<Record<Unseen, string>> = {
  itself: "is the step itself",
  later: "runs after it",
  beside: "runs beside it",
  elsewhere: "runs in another branch",
  unchosen: "runs after the branches are chosen",
};

const NEXT: Readonly<Record<Unseen, string>> = {
  itself: "Name a step before it; in a loop a step sees what it gave in the pass before",
  later: "Put that step first",
  beside: "Put both into one branch, where steps run one after another",
  elsewhere: "Put that step before the branches",
  unchosen: "Put that step before the branches",
};

/** @throws SpellError invalid_argument naming the step, the place and the rule */
export function refuseUnseen(definition: Definition): void {
  const place = new Place(definition.name, "");
  for (const reference of referencesOf(definition)) {
    // a bare name may be one of the input or of shared data
    if (reference.rest === undefined) continue;
    const meant = stepMeant(reference);
    if (meant?.whyNot === undefined) continue;
    const rule = `${reference.where} must not name step "${meant.name}", which ${UNSEEN[meant.whyNot]}`;
    throw place.refuse(rule, reference.written, NEXT[meant.whyNot]);
  }
}
