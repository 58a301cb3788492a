import { withTextForBytes } from "../../core/bytes-as-text.ts";
import { stringifyJson } from "../../core/json.ts";
import { matchesWildcard } from "../../core/wildcard.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions } from "./index.ts";

/** Refuses values of state that are too large, and keys that are not wanted. */
export function stateValidationHook({
  max_value_bytes,
  refused_keys,
}: BuiltinOptions<"state_validation">): Builtin {
  const counts = { valid: 0, refused: 0 };
  const run = ({ data }: HookContext): HookResult | undefined => {
    const reason = reasonOf(String(data.key), data.value);
    if (reason === undefined) {
      counts.valid++;
      return undefined;
    }
    counts.refused++;
    return { type: "cancel", reason };
  };
  const reasonOf = (key: string, value: unknown): string | undefined => {
    const pattern = refused_keys.find((one) => matchesWildcard(one, key));
    if (pattern !== undefined) return `keys like ${pattern} are refused: ${key}`;
    const bytes = sizeOf(value);
    return bytes > max_value_bytes
      ? `the value of ${key} must be at most ${max_value_bytes} bytes: ${bytes}`
      : undefined;
  };
  return {
    description: "Refuses values of state that are too large, and keys that are not wanted",
    spec: {
      points: ["BeforeStateWrite"],
      run,
      condition: ({ data }) => Object.hasOwn(data, "value"),
      priority: PRIORITIES.highest,
      immediate: true,
    },
    report: () => ({ ...counts }),
  };
}

/** As JSON. */
const sizeOf = (value: unknown): number =>
  typeof value === "string"
    ? Buffer.byteLength(value)
    : value instanceof Uint8Array
      ? value.length
      : Buffer.byteLength(stringifyJson(withTextForBytes(value)));
