/** Drivers of graphics cards may end the process that loads them: they are examined in a child process. */
import { errorFromJson, SpellError } from "../../core/errors.ts";
import { PROBE_DEVICES_COMMAND } from "../../core/self.ts";
import type { DeviceSetting } from "../llamacpp/protocol.ts";
import type { EngineOutcome, EngineReport } from "./engine-child.ts";
import { assertionIn } from "./probe.ts";
import { runChild } from "./run-child.ts";

export interface EngineExamination {
  report: Partial<EngineReport>;
  error?: SpellError;
}

const LIMIT_MS = 60_000;

/** What runs models here. A failure is a part of the answer. @throws what `signal` was aborted with */
export async function examineEngine(
  device: DeviceSetting,
  options: { env: Record<string, string | undefined>; signal?: AbortSignal | undefined },
): Promise<EngineExamination> {
  const child = await runChild([PROBE_DEVICES_COMMAND, device], { ...options, limitMs: LIMIT_MS });
  if (child.printed !== "") {
    const { report, error } = JSON.parse(child.printed) as EngineOutcome;
    return { report, ...(error === undefined ? {} : { error: errorFromJson(error) }) };
  }
  const what = child.isLate
    ? `llama.cpp or a driver comes to no end within ${LIMIT_MS / 1000} s`
    : `llama.cpp or a driver ends the process (${child.end})`;
  const reason = assertionIn(child.log);
  return {
    report: {},
    error: new SpellError(
      "platform",
      `Cannot run models on device '${device}': ${what}${reason === undefined ? "" : `: ${reason}`}`,
      { data: { log: child.log.slice(-2000) }, hint: 'Set device = "cpu" for the provider' },
    ),
  };
}
