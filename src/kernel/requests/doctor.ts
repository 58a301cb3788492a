/** `llmspell doctor`: what local inference finds on this machine, and what to do about what is wrong. */
import { messageOf } from "../../core/errors.ts";
import type { Machine } from "../../models/machine.ts";
import type { ModelService } from "../../models/service.ts";
import type { DoctorProblem, DoctorReply, RequestOptions } from "../api.ts";
import type { Services } from "../services.ts";

const LITTLE_DISK_BYTES = 1e9;

/** @throws what the signal was aborted with */
export async function answerDoctorRequest(
  services: Services,
  { signal }: RequestOptions,
): Promise<DoctorReply> {
  const models = await services.models();
  const machine = await models.machine(signal);
  const stored = await Promise.all(
    (await models.list("llamacpp")).map(({ id }) => examineModel(models, id, machine)),
  );
  const { engine, store } = machine;
  return {
    status: "ok",
    processor: processorFields(machine),
    memory: {
      total_bytes: machine.memory.totalBytes,
      free_bytes: machine.memory.freeBytes,
      bound_by: machine.memory.boundBy,
    },
    libraries: {
      directory: engine.report.libraries?.directory ?? null,
      temporary: engine.report.libraries?.temporary ?? null,
      places: machine.places.map(({ directory, problem }) => ({ directory, problem: problem ?? null })),
      backends: (engine.report.backends ?? []).map(({ file, backend, reason }) => ({
        file,
        backend: backend ?? null,
        problem: reason ?? null,
      })),
    },
    devices: {
      setting: machine.settings.device,
      found: (engine.report.devices ?? []).map(
        ({ name, description, backend, type, freeBytes, totalBytes }) => ({
          ...{ name, description, backend, type },
          free_bytes: freeBytes,
          total_bytes: totalBytes,
        }),
      ),
      chosen: engine.report.chosen?.device ?? null,
      why: engine.report.chosen?.why ?? null,
      ran_on: engine.report.trial?.device ?? null,
      fallback: engine.report.trial?.fallback ?? null,
    },
    store: { directory: store.directory, free_bytes: store.freeBytes, models: stored },
    problems: [...engineProblems(machine), ...placeProblems(machine), ...storeProblems(machine, stored)],
  };
}

function processorFields({ processors, settings, engine }: Machine): DoctorReply["processor"] {
  const { allowed, cores, fastCores, quota, numaNodes } = processors;
  const description = engine.report.devices?.find(({ type }) => type === "cpu")?.description;
  return {
    name: description ?? null,
    allowed,
    cores,
    fast_cores: fastCores,
    quota: quota ?? null,
    threads: settings.threads,
    why: whyThreads(processors, settings.threads),
    numa_nodes: numaNodes,
    numa: settings.numa ?? null,
    library: engine.report.backends?.find(({ backend }) => backend === "CPU")?.file ?? null,
    features: featuresOf(engine.report.systemInfo ?? ""),
  };
}

function whyThreads({ cores, fastCores, quota, threads }: Machine["processors"], used: number): string {
  if (used !== threads) return "cpu_threads is set";
  if (quota !== undefined && quota < fastCores) return "the control group's quota";
  return fastCores < cores
    ? "one for each fast core"
    : "one for each physical core; one in all for a small model";
}

/** Of `CPU : SSE3 = 1 | AVX = 1 |`, what is on. */
function featuresOf(systemInfo: string): string[] {
  return [...systemInfo.matchAll(/(\w+) = 1\b/g)].map(([, name]) => name!);
}

interface StoredFit {
  id: string;
  memory_bytes: number | null;
  fits: boolean;
  problem: string | null;
}

async function examineModel(models: ModelService, id: string, { memory }: Machine): Promise<StoredFit> {
  try {
    const { memoryBytes, sizeBytes } = await models.info(id);
    const needed = memoryBytes ?? sizeBytes;
    return { id, memory_bytes: needed, fits: needed <= memory.freeBytes, problem: null };
  } catch (error) {
    return { id, memory_bytes: null, fits: false, problem: messageOf(error) };
  }
}

const problem = (severity: DoctorProblem["severity"], message: string, hint?: string): DoctorProblem => ({
  severity,
  message,
  hint: hint ?? null,
});

function engineProblems({ engine, settings }: Machine): DoctorProblem[] {
  const { error, report } = engine;
  if (error !== undefined) {
    const { reason } = error.data;
    return [
      problem("error", `${error.message}${typeof reason === "string" ? `: ${reason}` : ""}`, error.hint),
    ];
  }
  const cpu = 'Set device = "cpu" for the provider to do without the GPU, or mend its driver';
  const fallback = report.trial?.fallback;
  return [
    ...(report.chosen?.missed ?? []).map((missed) =>
      problem("warning", `No GPU can be used: ${missed}`, cpu),
    ),
    ...(fallback === undefined
      ? []
      : [problem("warning", `Device '${settings.device}' falls back to the processor: ${fallback}`, cpu)]),
  ];
}

function placeProblems({ places }: Machine): DoctorProblem[] {
  const [first] = places;
  if (first?.problem === undefined) return [];
  return [
    problem(
      "warning",
      `Libraries cannot be kept in ${first.directory}: ${first.problem}`,
      "Set XDG_CACHE_HOME to a directory of yours that is writable and not mounted noexec",
    ),
  ];
}

function storeProblems({ store, memory }: Machine, stored: readonly StoredFit[]): DoctorProblem[] {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const models = stored.flatMap(({ id, fits, problem: damage, memory_bytes }) => {
    if (damage !== null)
      return [problem("warning", `Model '${id}' is damaged: ${damage}`, "Fetch it again, or remove it")];
    if (fits) return [];
    const need = `needs ${gigabytes(memory_bytes!)} of memory, ${gigabytes(memory.freeBytes)} are free`;
    return [
      problem(
        "warning",
        `Model '${id}' ${need}`,
        "Set a smaller context_size, or take a smaller quantisation",
      ),
    ];
  });
  if (store.freeBytes >= LITTLE_DISK_BYTES) return models;
  const little = `Little room for models in ${store.directory}: ${gigabytes(store.freeBytes)} are free`;
  return [
    problem("warning", little, "Remove models, or set model_directory in [providers.local]"),
    ...models,
  ];
}

/** A command that only wants to know where models would run. */
export async function deviceFields(models: ModelService, signal: AbortSignal | undefined) {
  const { engine } = await models.machine(signal);
  const { chosen, trial } = engine.report;
  const reasons = [engine.error?.message, trial?.fallback, chosen?.missed.join("; "), chosen?.why];
  return { device: trial?.device ?? null, device_reason: reasons.find(Boolean) ?? null };
}
