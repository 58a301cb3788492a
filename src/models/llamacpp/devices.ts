/** Which of the machine's devices a model is put on: Metal, then CUDA, then others, then Vulkan; else the processor. */
import { SpellError } from "../../core/errors.ts";
import { machineMemory } from "../../core/machine-memory.ts";
import type { BackendFile, Backends, Device } from "../../ffi/llama/devices.ts";
import type { ModelParts } from "./model-parts.ts";
import type { DeviceSetting, ModelSpec } from "./protocol.ts";

export interface DeviceChoice {
  /** Empty: the processor. */
  devices: readonly Device[];
  /** Why these, for people. */
  why: string;
  /** GPU libraries of this build that bring no device here; only where `auto` had to do without. */
  missed: readonly string[];
}

/** ggml's names of backends, best first; those that are not named here stand before Vulkan. */
const BACKENDS = { metal: "MTL", cuda: "CUDA", vulkan: "Vulkan" } as const;
const LAST = BACKENDS.vulkan;

/** @throws SpellError config where a device that was asked for is not there */
export function chooseDevices(backends: Backends, setting: DeviceSetting = "auto"): DeviceChoice {
  if (setting === "cpu") return { devices: [], why: "device is set to cpu", missed: [] };
  const gpus = backends.devices().filter(({ type }) => type === "gpu" || type === "integrated");
  if (setting !== "auto") {
    const asked = bestOf(gpus.filter(({ backend }) => backend === BACKENDS[setting]));
    if (asked.length === 0) throw notThere(setting, backends.files);
    return { devices: asked, why: `device is set to ${setting}`, missed: [] };
  }
  const present = [...new Set(gpus.map(({ backend }) => backend))].sort((a, b) => rank(a) - rank(b));
  const [best] = present;
  if (best === undefined) {
    const missed = backends.files.filter(isGpu).map(({ file, reason }) => `${file}: ${reason ?? NO_DEVICE}`);
    const why = missed.length === 0 ? "this build has no GPU backend" : "no GPU can be used";
    return { devices: [], why, missed };
  }
  return {
    devices: bestOf(gpus.filter(({ backend }) => backend === best)),
    why: "it is the best device",
    missed: [],
  };
}

const NO_DEVICE = "it finds no device";

function isGpu({ backend }: BackendFile): boolean {
  return backend !== "CPU";
}

function rank(backend: string): number {
  const order: readonly string[] = [BACKENDS.metal, BACKENDS.cuda];
  if (backend === LAST) return order.length + 1;
  return order.includes(backend) ? order.indexOf(backend) : order.length;
}

/** All cards of their own, which llama.cpp shares the layers among; integrated ones only where there is no other. */
function bestOf(devices: readonly Device[]): readonly Device[] {
  const cards = devices.filter(({ type }) => type === "gpu");
  return cards.length > 0 ? cards : devices;
}

function notThere(setting: keyof typeof BACKENDS, files: readonly BackendFile[]): SpellError {
  const library = new RegExp(`ggml-${setting}\\b`);
  const tried = files.filter(({ file, backend }) => library.test(file) || backend === BACKENDS[setting]);
  const reason =
    tried.length === 0
      ? "this build has no such backend"
      : tried.map((file) => file.reason ?? NO_DEVICE).join("; ");
  return new SpellError("config", `Cannot use device '${setting}': ${reason}`, {
    data: { device: setting, tried },
    hint:
      tried.length === 0
        ? `Set device = "auto", or use a build with ${setting}; \`llmspell doctor\` shows what is there`
        : `Set device = "auto", or install the card's driver; \`llmspell doctor\` shows what was found`,
  });
}

/** The processor too where no layer is to leave it. */
export function deviceOf({ device, gpuLayers }: Pick<ModelSpec, "device" | "gpuLayers">): DeviceSetting {
  return gpuLayers === 0 ? "cpu" : (device ?? "auto");
}

/** For messages: `CUDA0 (NVIDIA H200)`, `CPU`. */
export function deviceNames(devices: readonly Device[]): string {
  return devices.map(({ name, description }) => `${name} (${description})`).join(", ") || "CPU";
}

/** Memory that is free at this moment for what a model keeps: this machine's, and where layers are on devices theirs. */
export function freeFor({ model, devices }: Pick<ModelParts, "model" | "devices">): number {
  const { freeBytes } = machineMemory();
  if (devices.length === 0) return freeBytes;
  const names = new Set(devices.map(({ name }) => name));
  const now = model.library.backends.devices().filter(({ name }) => names.has(name));
  return Math.min(freeBytes, ...now.map((device) => device.freeBytes));
}
