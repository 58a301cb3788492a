/** A GPU that fails: the work is done once more, on the processor, and a person is told. */
import { messageOf, SpellError } from "../../core/errors.ts";
import type { Backends } from "../../ffi/llama/devices.ts";
import { reasonIn } from "../../ffi/llama/text.ts";
import { chooseDevices, deviceNames, deviceOf } from "./devices.ts";
import type { LoadedModel, ModelSpec } from "./protocol.ts";

export type Warn = (message: string, data: Record<string, unknown>) => void;

const HINT = 'device = "cpu" for the provider avoids the attempt; `llmspell doctor` shows the devices';

export class Fallbacks {
  /** Specs whose model did not run on the GPU, and why; by the spec it runs with instead. */
  private readonly reasons = new Map<string, string>();
  private hasToldMissed = false;

  constructor(
    private readonly backends: Backends,
    private readonly warn: Warn,
    /** Frees what is loaded of a spec. */
    private readonly release: (spec: ModelSpec) => void,
  ) {}

  /**
   * Calls `work` with the spec, and once more with the same for the processor where a GPU failed at it. What succeeds there
   * stays there until the process ends.
   * @throws SpellError what `work` throws; config where a device that was asked for is not there
   */
  async run<T>(spec: ModelSpec, work: (spec: ModelSpec) => Promise<T>): Promise<T> {
    const onCpu: ModelSpec = { ...spec, device: "cpu" };
    const key = JSON.stringify(onCpu);
    if (this.reasons.has(key)) return work(onCpu);
    const { devices, missed } = chooseDevices(this.backends, deviceOf(spec));
    this.tellMissed(missed);
    if (devices.length === 0) return work(spec);
    try {
      return await work(spec);
    } catch (error) {
      if (!isNative(error)) throw error;
      const result = await work(onCpu);
      this.record(key, `${deviceNames(devices)}: ${reasonOf(error)}`, spec);
      return result;
    }
  }

  describe(spec: ModelSpec): Pick<LoadedModel, "fallback"> {
    const fallback = this.reasons.get(JSON.stringify(spec));
    return fallback === undefined ? {} : { fallback };
  }

  private record(key: string, reason: string, spec: ModelSpec): void {
    if (this.reasons.has(key)) return;
    this.reasons.set(key, reason);
    this.release(spec);
    this.warn("the GPU failed, the processor is used instead", { reason, path: spec.path, hint: HINT });
  }

  private tellMissed(missed: readonly string[]): void {
    if (missed.length === 0 || this.hasToldMissed) return;
    this.hasToldMissed = true;
    this.warn("no GPU can be used, the processor is used instead", { reason: missed.join("; "), hint: HINT });
  }
}

/** A failure of llama.cpp itself, which says so in its log; not one of the request. */
function isNative(error: unknown): error is SpellError {
  if (!(error instanceof SpellError)) return false;
  const isKind = error.code === "provider" || error.code === "limit" || error.code === "model_invalid";
  return isKind && (error.data.log !== undefined || error.data.reason !== undefined);
}

/** llama.cpp's own words, without our action in front. */
function reasonOf(error: SpellError): string {
  const log = error.data.log ?? error.data.reason;
  return reasonIn(String(log)) ?? messageOf(error);
}
