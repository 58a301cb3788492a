/** What the machine offers to local models: for `llmspell doctor`. Loads nothing into this process. */
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProviderConfig } from "../config/schema.ts";
import { readText } from "../core/cgroup.ts";
import { type MachineMemory, machineMemory } from "../core/machine-memory.ts";
import { cpuList, type Processors, processors } from "../core/processors.ts";
import { isCompiled } from "../core/worker.ts";
import { type Place, placeProblem, placesFor } from "../ffi/places.ts";
import type { DeviceSetting } from "./llamacpp/protocol.ts";
import { type EngineExamination, examineEngine } from "./probe/engine.ts";

export interface Machine {
  processors: Processors & { numaNodes: number };
  memory: MachineMemory;
  /** Where libraries may be extracted to, best first; empty in development, where they are used as they were built. */
  places: (Place & { problem: string | undefined })[];
  store: { directory: string; freeBytes: number };
  settings: { device: DeviceSetting; threads: number; numa: string | undefined };
  engine: EngineExamination;
}

export interface MachineOptions {
  env: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
}

export async function examineMachine(
  settings: ProviderConfig,
  storeDirectory: string,
  options: MachineOptions,
): Promise<Machine> {
  const device = settings.device ?? "auto";
  const places = isCompiled ? placesFor(options.env) : [];
  return {
    processors: { ...processors(), numaNodes: numaNodes() },
    memory: machineMemory(),
    places: places.map((place) => ({ ...place, problem: placeProblem(place) })),
    store: { directory: storeDirectory, freeBytes: await freeBytes(storeDirectory) },
    settings: { device, threads: settings.cpu_threads || processors().threads, numa: settings.numa },
    engine: await examineEngine(device, options),
  };
}

function numaNodes(): number {
  const online = readText("/sys/devices/system/node/online");
  return online === undefined ? 1 : cpuList(online).length;
}

/** What this user may still write there, or where the directory will be made. */
async function freeBytes(directory: string): Promise<number> {
  if (!existsSync(directory)) return freeBytes(dirname(directory));
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
