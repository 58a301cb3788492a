import type { HookRunner } from "./service.ts";

/** Hooks of a kernel in which nobody has asked for any. */
export const NO_HOOKS: HookRunner = {
  has: () => false,
  run: async () => ({ type: "continue" }),
  around: async (operation, work) => work(operation.data),
};
