/** The child process of `engine.ts`: loads llama.cpp and its backends, chooses a device and answers once on it. */
import { writeSync } from "node:fs";
import { type ErrorJson, errorToJson } from "../../core/errors.ts";
import { librariesLoaded, llamaLibraries } from "../../ffi/library.ts";
import type { BackendFile, Device } from "../../ffi/llama/devices.ts";
import { type LlamaLibrary, loadLlama } from "../../ffi/llama/library.ts";
import { embeddedModelPath } from "../embedded.ts";
import { chooseDevices, deviceNames } from "../llamacpp/devices.ts";
import { type DeviceSetting, type ModelSpec, REQUEST_WORDS } from "../llamacpp/protocol.ts";
import { Residents } from "../llamacpp/residents.ts";
import { Turns } from "../llamacpp/turns.ts";

export interface EngineReport {
  libraries: { directory: string; temporary: boolean };
  /** The backends' libraries that were tried. */
  backends: readonly BackendFile[];
  devices: Omit<Device, "pointer">[];
  systemInfo: string;
  chosen: { device: string; why: string; missed: readonly string[] };
  /** An answer of the built-in model: what it really ran on. */
  trial: { device: string; fallback?: string; tokens: number };
}

/** What was found before it went wrong stands beside the error. */
export interface EngineOutcome {
  report: Partial<EngineReport>;
  error?: ErrorJson;
}

const TRIAL_TOKENS = 4;

/** Prints an `EngineOutcome` and gives the exit code. */
export async function answerEngine(device: DeviceSetting): Promise<number> {
  const outcome: EngineOutcome = { report: {} };
  try {
    await examine(device, outcome.report);
  } catch (error) {
    outcome.error = errorToJson(error);
  }
  writeSync(1, `${JSON.stringify(outcome)}\n`);
  return 0;
}

async function examine(device: DeviceSetting, report: Partial<EngineReport>): Promise<void> {
  const libraries = await llamaLibraries();
  report.libraries = libraries;
  const library = loadLlama(libraries.directory);
  await librariesLoaded(libraries);
  library.fn.spell_no_core_dump();

  const { backends } = library;
  report.devices = backends.devices().map(({ pointer: _, ...described }) => described);
  report.backends = backends.files;
  report.systemInfo = backends.systemInfo();
  const { devices, why, missed } = chooseDevices(backends, device);
  report.chosen = { device: deviceNames(devices), why, missed };
  report.trial = await tryOn(library, device);
}

async function tryOn(library: LlamaLibrary, device: DeviceSetting): Promise<EngineReport["trial"]> {
  const residents = new Residents(library, new Turns());
  const words = new Int32Array(new SharedArrayBuffer(REQUEST_WORDS * 4));
  const spec: ModelSpec = {
    ...{ path: await embeddedModelPath(process.env), device, contextTokens: 64, threads: 1, gpuLayers: -1 },
    ...{ batchTokens: 64, ubatchTokens: 64, flashAttention: "auto", sequences: 1 },
  };
  const request = { sampling: { temperature: 0 }, stops: [], reusePrefix: false, maxTokens: TRIAL_TOKENS };
  const { tokens } = await residents.use(spec, words, (loaded) =>
    loaded.generator.generate({ ...request, prompt: { text: "Hello" } }, { words }),
  );
  const ran = residents.describe().at(-1)!;
  await residents.close();
  return {
    device: ran.device,
    ...(ran.fallback === undefined ? {} : { fallback: ran.fallback }),
    tokens: tokens.length,
  };
}
