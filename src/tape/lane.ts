import { currentTasks } from "../core/task.ts";

/** Label of the task that a whole run is. */
export const SCRIPT = "script";

/** Who asks: within a lane things come one after another, so that their order is the same each time. */
export function currentLane(): string {
  const labels = currentTasks().flatMap(({ label }) => (label === "" ? [] : label));
  const inner = labels[0] === SCRIPT ? labels.slice(1) : labels;
  return inner.length === 0 ? SCRIPT : inner.join(" > ");
}
