/**
 * Backends for graphics cards. Each is one library beside its target's set, out of an npm package that is fetched only for a
 * build that asks for it; what else is in that package the target has already.
 */
import { didYouMean } from "../src/core/nearest.ts";
import type { NpmPackage } from "./packages.ts";
import release from "./release.json";

export interface GpuBackend {
  name: string;
  target: string;
  package: NpmPackage;
  /** The library in the package, and its name in the set. */
  library: string;
  file: string;
  /** What a machine needs to use it. */
  needs: string;
}

const linux = (
  name: string,
  pack: string,
  folder: string,
  file: string,
  needs: string,
  integrity: string,
) => ({
  name,
  target: "linux-x64",
  package: { name: `@node-llama-cpp/${pack}`, version: release.package, integrity },
  library: `bins/${folder}`,
  file,
  needs,
});

export const GPU_BACKENDS: readonly GpuBackend[] = [
  linux(
    "cuda",
    "linux-x64-cuda",
    "linux-x64-cuda/libggml-cuda.so",
    "libggml-cuda.so",
    "NVIDIA's driver and the CUDA 13 runtime (libcudart.so.13, libcublas.so.13)",
    "sha512-8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA==",
  ),
  linux(
    "cuda12",
    "linux-x64-cuda-ext",
    "linux-x64-cuda/fallback/libggml-cuda.so",
    "libggml-cuda-12.so",
    "NVIDIA's driver and the CUDA 12 runtime (libcudart.so.12, libcublas.so.12)",
    "sha512-4e5ajkiM2aR2WAdB/N/ACk4weEhHvOAIrzxZPsIX0xDFW5+6hhShuy1/vs88SK9NGdgAco9IyE28eYS0H1efpA==",
  ),
  linux(
    "vulkan",
    "linux-x64-vulkan",
    "linux-x64-vulkan/libggml-vulkan.so",
    "libggml-vulkan.so",
    "a Vulkan driver and its loader (libvulkan.so.1)",
    "sha512-bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg==",
  ),
];

/** @throws Error with one line that says what there is instead */
export function gpuBackends(names: readonly string[], target: string): GpuBackend[] {
  return [...new Set(names)].sort().map((name) => {
    const found = GPU_BACKENDS.find((backend) => backend.name === name && backend.target === target);
    if (found !== undefined) return found;
    const known = [...new Set(GPU_BACKENDS.map((backend) => backend.name))];
    if (name === "metal" || target.startsWith("darwin"))
      throw new Error(
        `there is no ${name} backend to add to ${target}: Macs use Metal, which is part of their normal build`,
      );
    if (!known.includes(name))
      throw new Error(
        `there is no GPU backend "${name}": ${didYouMean(name, known) ?? `there are ${known.join(", ")}`}`,
      );
    const targets = GPU_BACKENDS.filter((backend) => backend.name === name).map((backend) => backend.target);
    throw new Error(
      `there is no ${name} backend for ${target}: llama.cpp's packages have it for ${targets.join(", ")}`,
    );
  });
}
