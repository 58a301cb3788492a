import { SpellError } from "../core/errors.ts";
import type { HookReruns, HookRunner } from "./service.ts";

/** Hooks of a kernel in which nobody has asked for any. */
export const NO_HOOKS: HookRunner & HookReruns = {
  has: () => false,
  run: async () => ({ type: "continue" }),
  standsAt: () => false,
  runAgain: async (name) => {
    throw unknownHook(name);
  },
  around: async (operation, work) => work(operation.data),
};

export function unknownHook(name: string): SpellError {
  return new SpellError("not_found", `Cannot run hook "${name}" again: it is not registered`, {
    hint: "Hooks of a script are there only while it runs; replay from within it",
  });
}
