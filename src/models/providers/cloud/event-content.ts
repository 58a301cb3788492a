/** Which events bring an answer forward, in any vendor's format; time limits count from those. */
import { isPlainObject } from "../../../core/values.ts";

/**
 * Text, thoughts, a piece of a tool call, or why the answer ends. Pings, the role that is about to speak, the start and end
 * of a block, usage and identifiers are none.
 */
export function isContent(event: unknown): boolean {
  if (Array.isArray(event)) return event.some(isContent);
  if (!isPlainObject(event)) return false;
  const { choices, candidates, promptFeedback, content_block: block, delta } = event;
  if (Array.isArray(choices))
    return choices.some(
      (choice) => isPlainObject(choice) && [choice.delta, choice.text, choice.finish_reason].some(saysMore),
    );
  if (Array.isArray(candidates))
    return candidates.some(
      (candidate) => isPlainObject(candidate) && [candidate.content, candidate.finishReason].some(saysMore),
    );
  return [promptFeedback, block, delta].some(saysMore);
}

/** The last words of Anthropic and Cohere. */
export const isLast = (event: unknown): boolean =>
  isPlainObject(event) && (event.type === "message_stop" || event.type === "message-end");

/** Whether anything stands in it besides the names of what it is. */
function saysMore(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  if (Array.isArray(value)) return value.some(saysMore);
  if (!isPlainObject(value)) return false;
  return Object.entries(value).some(([key, member]) => key !== "role" && key !== "type" && saysMore(member));
}
