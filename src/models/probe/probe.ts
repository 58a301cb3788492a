/**
 * llama.cpp ends the process on some files whose parts are all there. An unknown file is therefore first used in a child
 * process, which may die of it.
 */
import { statSync } from "node:fs";
import { errorFromJson, SpellError } from "../../core/errors.ts";
import { ownCommand, PROBE_COMMAND } from "../../core/self.ts";
import type { ProbeOutcome } from "./child.ts";

export interface ProbeOptions {
  env: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
}

const LIMIT_MS = 60_000;
/** A slow disk reads the file once meanwhile. */
const BYTES_PER_MS = 20_000;

/** @throws SpellError model_invalid, and what keeps any model from being loaded here (platform, limit) */
export async function probeModel(path: string, { env, signal }: ProbeOptions): Promise<void> {
  signal?.throwIfAborted();
  const limitMs = LIMIT_MS + Math.ceil(statSync(path).size / BYTES_PER_MS);
  const child = Bun.spawn(ownCommand(PROBE_COMMAND, path), {
    env: { ...env, GGML_NO_BACKTRACE: "1", BUN_ENABLE_CRASH_REPORTING: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true, // Ctrl-C on the terminal comes through the signal
    killSignal: "SIGKILL",
    ...(signal === undefined ? {} : { signal }),
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, limitMs);
  const [printed, log] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(timer);
  signal?.throwIfAborted();
  const outcome = printed === "" ? undefined : (JSON.parse(printed) as ProbeOutcome);
  if (outcome?.ok) return;
  if (outcome !== undefined) throw errorFromJson(outcome.error);
  const what = isLate
    ? `llama.cpp comes to no end with it within ${Math.ceil(limitMs / 1000)} s`
    : `llama.cpp ends the process on it (${child.signalCode ?? `exit code ${child.exitCode}`})`;
  const reason = assertionIn(log);
  throw new SpellError(
    "model_invalid",
    `Cannot use the model: ${what}${reason === undefined ? "" : `: ${reason}`}: ${path}`,
    {
      data: { path, signal: child.signalCode, log: log.slice(-2000) },
      hint: "Fetch or convert the model again",
    },
  );
}

/** What ggml or the C++ library print before they abort, without the source file in front. */
function assertionIn(log: string): string | undefined {
  return /GGML_ASSERT\(.*\) failed|(?<=what\(\):\s+)\S.*|(?<=\.(?:c|cpp|cu|h):\d+: )\S.*/.exec(log)?.[0];
}
