/** What scripts say of a replay. */
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import {
  type Modification,
  REPLAY_MODES,
  type ReplayMode,
  type ReplayOptions,
  rerunKinds,
} from "../../sessions/replay/service.ts";
import { flag, integer, number, present, type Table, table, text, texts } from "../agent/fields.ts";

/** Fields of the wrong type are ignored. @throws SpellError invalid_argument for an unknown mode or kind, or a time that is none */
export function replayOptions(given: Table): ReplayOptions {
  const mode = text(given.mode)?.toLowerCase();
  if (mode !== undefined && !(REPLAY_MODES as readonly string[]).includes(mode))
    throw new SpellError(
      "invalid_argument",
      `Invalid replay options: "mode" must be one of ${REPLAY_MODES.join(", ")}: ${mode}`,
    );
  const seconds = number(given.timeout_seconds);
  return present<ReplayOptions>({
    mode: mode as ReplayMode | undefined,
    run: runs(given.run),
    compareResults: flag(given.compare_results),
    timeoutSeconds: seconds !== undefined && seconds > 0 ? seconds : undefined,
    stopOnError: flag(given.stop_on_error),
    metadata: table(given.metadata),
    fromStep: positive(given.from_step),
    toStep: positive(given.to_step),
    untilMs: moment(given.target_timestamp),
    modifications: modifications(given.modifications),
  });
}

function runs(value: ScriptValue): ReplayOptions["run"] {
  if (value === undefined || value === null) return undefined;
  return rerunKinds(texts(value) ?? [text(value) ?? typeof value]);
}

export function positive(value: unknown): number | undefined {
  const n = integer(value);
  return n === undefined || n < 1 ? undefined : n;
}

function moment(value: ScriptValue): number | undefined {
  const given = text(value);
  if (given === undefined) return undefined;
  const ms = Date.parse(given);
  if (!Number.isNaN(ms)) return ms;
  throw new SpellError(
    "invalid_argument",
    `Invalid replay options: "target_timestamp" must be a time (RFC 3339): ${given}`,
  );
}

function modifications(value: ScriptValue): Modification[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((item) => {
    const given = table(item);
    const path = text(given?.path);
    if (given === undefined || path === undefined) return [];
    return [
      present<Modification>({
        path,
        value: given.value ?? null,
        enabled: flag(given.enabled),
        step: positive(given.step),
      }),
    ];
  });
}
