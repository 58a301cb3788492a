import type { SpellModel } from "../service.ts";

/** The same model with some of its methods replaced; everything else is asked of the model itself. */
export function around(model: SpellModel, methods: Partial<SpellModel>): SpellModel {
  return Object.assign(Object.create(model) as SpellModel, methods);
}
