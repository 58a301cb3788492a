import type { WorkflowInstance } from "./instance.ts";

/** Names along the first circle of workflows that are steps of each other: the first one again at its end. */
export function cycleOf(
  instance: WorkflowInstance,
  find: (name: string) => WorkflowInstance | undefined,
): string[] | undefined {
  const cleared = new Set<WorkflowInstance>();
  const visit = (one: WorkflowInstance, trail: readonly WorkflowInstance[]): string[] | undefined => {
    if (trail.includes(one))
      return [...trail.slice(trail.indexOf(one)), one].map(({ definition }) => definition.name);
    if (cleared.has(one)) return undefined;
    for (const inner of one.nested(find)) {
      const cycle = visit(inner, [...trail, one]);
      if (cycle !== undefined) return cycle;
    }
    cleared.add(one);
    return undefined;
  };
  return visit(instance, []);
}
