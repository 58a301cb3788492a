import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import type { TapeRequest } from "../tape/open.ts";
import type { RunCalls } from "./api.ts";

/** What to record or replay: what the request says, else the configuration. @throws SpellError usage, config */
export function tapeRequest({ record, replay }: RunCalls = {}, { recording }: Config): TapeRequest {
  if (record !== undefined && replay !== undefined)
    throw new SpellError("usage", "Cannot record a replay: give --record or --replay, not both");
  if (record !== undefined) return { record };
  if (replay !== undefined) return { replay };
  if (recording.record !== undefined && recording.replay !== undefined)
    throw new SpellError(
      "config",
      "Cannot record a replay: recording.record and recording.replay are both set",
      {
        hint: "Unset one of them",
      },
    );
  if (recording.replay !== undefined) return { replay: resolve(recording.replay) };
  return { record: { path: resolve(recording.record!), overwrite: recording.overwrite } };
}
