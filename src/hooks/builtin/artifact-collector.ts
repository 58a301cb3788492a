import { withTextForBytes } from "../../core/bytes-as-text.ts";
import { stringifyJson } from "../../core/json.ts";
import { matchesWildcard } from "../../core/wildcard.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

/** Keeps what tools and agents gave as artifacts of the current session. */
export function artifactCollectorHook(
  options: BuiltinOptions<"artifact_collector">,
  { session }: BuiltinParts,
): Builtin {
  const { points, components, min_bytes, max_bytes } = options;
  const counts = { stored: 0, too_small: 0, too_large: 0, without_session: 0 };
  const isWanted = ({ component: { type, name } }: HookContext) =>
    (type === "Tool" || type === "Agent") &&
    (components.length === 0 || components.some((pattern) => matchesWildcard(pattern, name)));

  const run = async ({ component, data, correlationId }: HookContext) => {
    const { mimeType, content } = contentOf(component.type === "Tool" ? data.result : data.output);
    if (content.length < min_bytes) counts.too_small++;
    else if (content.length > max_bytes) counts.too_large++;
    else {
      const id = (await session?.current()) ?? null;
      if (id === null) counts.without_session++;
      else {
        await session!.store(id, {
          type: component.type === "Tool" ? "tool_result" : "agent_output",
          name: component.name,
          content,
          metadata: {
            mime_type: mimeType,
            tags: ["collected"],
            created_by: component.name,
            correlation_id: correlationId,
            duration_ms: data.duration_ms ?? null,
          },
        });
        counts.stored++;
      }
    }
    return undefined;
  };
  return {
    description: "Keeps what tools and agents gave as artifacts of the session",
    spec: { points, run, condition: isWanted, priority: PRIORITIES.lowest },
    report: () => ({ ...counts }),
  };
}

function contentOf(result: unknown): { mimeType: string; content: Uint8Array } {
  if (result instanceof Uint8Array) return { mimeType: "application/octet-stream", content: result };
  const [mimeType, text] =
    typeof result === "string"
      ? ["text/plain", result]
      : ["application/json", result === undefined ? "" : stringifyJson(withTextForBytes(result))];
  return { mimeType, content: new TextEncoder().encode(text) };
}
