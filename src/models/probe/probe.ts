/**
 * llama.cpp ends the process on some files whose parts are all there. An unknown file is therefore first used in a child
 * process, which may die of it.
 */
import { statSync } from "node:fs";
import { errorFromJson, SpellError } from "../../core/errors.ts";
import { PROBE_COMMAND } from "../../core/self.ts";
import type { ProbeOutcome } from "./child.ts";
import { runChild } from "./run-child.ts";
import { TEMPLATE_STAGE } from "./stage.ts";

export interface ProbeOptions {
  env: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
  /** Time for the trial, beside that for reading the file. Default 60 s. */
  limitMs?: number;
}

const LIMIT_MS = 60_000;
/** A slow disk reads the file once meanwhile. */
const BYTES_PER_MS = 20_000;

/** @throws SpellError model_invalid, and what keeps any model from being loaded here (platform, limit) */
export async function probeModel(path: string, options: ProbeOptions): Promise<void> {
  const { env, signal } = options;
  signal?.throwIfAborted();
  const limitMs = (options.limitMs ?? LIMIT_MS) + Math.ceil(statSync(path).size / BYTES_PER_MS);
  const child = await runChild([PROBE_COMMAND, path], { env, signal, limitMs });
  const outcome = child.printed === "" ? undefined : (JSON.parse(child.printed) as ProbeOutcome);
  if (outcome?.ok) return;
  if (outcome !== undefined) throw errorFromJson(outcome.error);
  const part = child.log.includes(TEMPLATE_STAGE) ? "its chat template" : "it";
  const what = child.isLate
    ? `llama.cpp comes to no end with ${part} within ${Math.ceil(limitMs / 1000)} s`
    : `llama.cpp ends the process on ${part} (${child.end})`;
  const reason = assertionIn(child.log);
  throw new SpellError(
    "model_invalid",
    `Cannot use the model: ${what}${reason === undefined ? "" : `: ${reason}`}: ${path}`,
    {
      data: { path, signal: child.signal, log: child.log.slice(-2000) },
      hint: "Fetch or convert the model again",
    },
  );
}

/** What ggml or the C++ library print before they abort, without the source file in front. */
export function assertionIn(log: string): string | undefined {
  return /GGML_ASSERT\(.*\) failed|(?<=what\(\):\s+)\S.*|(?<=\.(?:c|cpp|cu|h):\d+: )\S.*/.exec(log)?.[0];
}
