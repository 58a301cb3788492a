/** ggml's backends: the libraries they come in, and the devices they bring. */
import { CString, type Pointer, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { GPU_LIBRARY } from "../library-set.ts";
import type { Address } from "./handle.ts";
import type { LlamaLibrary } from "./library.ts";
import { cString, reasonIn } from "./text.ts";

/** ggml's kinds of devices, in the order of its `enum ggml_backend_dev_type`. */
const TYPES = ["cpu", "gpu", "integrated", "accelerator", "meta"] as const;

/** ggml.h: `enum ggml_numa_strategy`. */
const NUMA = { distribute: 1, isolate: 2, numactl: 3 } as const;

export interface Device {
  /** Valid as long as the process; never freed. */
  pointer: Address;
  /** Of the backend: `CPU`, `CUDA`, `MTL`, `Vulkan` … */
  backend: string;
  /** `CUDA0`, `Vulkan1` … */
  name: string;
  description: string;
  type: (typeof TYPES)[number];
  /** 0 where the backend cannot tell. */
  freeBytes: number;
  totalBytes: number;
}

/** A backend's library, and why it cannot be used where it cannot. */
export interface BackendFile {
  file: string;
  /** Name of the backend; undefined where it was not loaded. */
  backend: string | undefined;
  reason: string | undefined;
}

export interface Backends {
  /** The libraries that were tried so far. */
  readonly files: readonly BackendFile[];
  /** Of the loaded backends, with their memory at this moment. Loads the GPU backends unless told not to. */
  devices(options?: { cpuOnly?: boolean }): Device[];
  /** Instruction sets and the like that the loaded backends use. */
  systemInfo(): string;
  /** Spreads this process's threads over NUMA nodes. The first call counts. */
  spread(strategy: keyof typeof NUMA): void;
}

const CPU_LIBRARY = /^(?:lib)?ggml-cpu(?:-\w+)?\.(?:so|dll)$/;

/**
 * Loads the processor's backend: of its libraries, one for each generation of processors, the best.
 * GPU backends are loaded when devices are first asked for, since they start drivers.
 * @throws SpellError platform where this processor has none
 */
export function openBackends(library: Omit<LlamaLibrary, "backends">, directory: string): Backends {
  const { fn } = library;
  const files: BackendFile[] = [];
  const names = readdirSync(directory).sort();
  let isGpuTried = false;
  let isSpread = false;

  function load(path: string): void {
    library.takeLog();
    const backend = fn.spell_backend_load(cString(path));
    const log = library.takeLog();
    const file = basename(path);
    if (backend === null) files.push({ file, backend: undefined, reason: reasonOf(log, path) });
    else files.push({ file, backend: textAt(fn.ggml_backend_reg_name(backend)), reason: undefined });
  }

  function loadGpus(): void {
    isGpuTried = true;
    const outside = process.env.GGML_BACKEND_PATH; // llama.cpp's own variable for a backend that is not in the set
    const backendOf = (name: string) => GPU_LIBRARY.exec(name)?.[1];
    const loaded = new Set<string | undefined>();
    for (const name of names.filter((candidate) => backendOf(candidate) !== undefined)) {
      if (loaded.has(backendOf(name))) continue; // one backend may come for several versions of its driver
      load(join(directory, name));
      if (files.at(-1)!.backend !== undefined) loaded.add(backendOf(name));
    }
    if (outside) load(outside);
  }

  function loadCpu(): void {
    const scored = names
      .filter((name) => CPU_LIBRARY.test(name))
      .map((name) => ({ name, score: fn.spell_backend_score(cString(join(directory, name))) }))
      .sort((a, b) => b.score - a.score);
    const best = scored[0];
    if (best !== undefined && best.score >= 0) load(join(directory, best.name));
    if (list().some(({ type }) => type === "cpu")) return;
    throw new SpellError("platform", "Cannot run models: no library of llama.cpp suits this processor", {
      data: { tried: scored },
      hint: "Build llmspell on this machine, or use another one",
    });
  }

  function list(): Device[] {
    const sizes = new BigUint64Array(new ArrayBuffer(16));
    return Array.from({ length: Number(fn.ggml_backend_dev_count()) }, (_, i) => {
      const pointer = fn.ggml_backend_dev_get(i)!;
      fn.ggml_backend_dev_memory(pointer, ptr(sizes, 0), ptr(sizes, 8));
      return {
        pointer,
        backend: textAt(fn.ggml_backend_reg_name(fn.ggml_backend_dev_backend_reg(pointer))),
        name: textAt(fn.ggml_backend_dev_name(pointer)),
        description: textAt(fn.ggml_backend_dev_description(pointer)).trim(),
        type: TYPES[fn.ggml_backend_dev_type(pointer)] ?? "meta",
        freeBytes: Number(sizes[0]),
        totalBytes: Number(sizes[1]),
      };
    });
  }

  loadCpu();
  fn.llama_backend_init();
  return {
    files,
    devices({ cpuOnly = false } = {}) {
      if (!cpuOnly && !isGpuTried) loadGpus();
      return list();
    },
    spread(strategy) {
      if (!isSpread) fn.llama_numa_init(NUMA[strategy]);
      isSpread = true;
    },
    systemInfo: () => textAt(fn.llama_print_system_info()).trim(),
  };
}

/** ggml's line names the function and the file before it says what is wrong. */
function reasonOf(log: string, path: string): string {
  const line = reasonIn(log) ?? "it brings no backend that suits this machine";
  return line.replace(`failed to load ${path}: `, "").replaceAll(path, basename(path));
}

/** Copies a text that the library keeps. */
function textAt(text: Address | null): string {
  return text === null ? "" : new CString(text as Pointer).toString();
}
