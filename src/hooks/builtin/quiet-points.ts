/** Points that come too often for hooks that stand everywhere. */
import { KERNEL_POINTS } from "../points.ts";

const QUIET = new Set([
  ...KERNEL_POINTS,
  ...["BeforeEventEmit", "AfterEventEmit", "EventHandlerError"],
  // within every call of a tool, whose begin and end have points of their own
  ...["custom:tool_security_check", "custom:tool_resource_allocated", "custom:tool_resource_released"],
]);

/** The points given; none: all but the quiet ones. */
export function pointsOrAll(points: readonly string[]): readonly string[] | ((point: string) => boolean) {
  return points.length > 0 ? points : (point) => !QUIET.has(point);
}
