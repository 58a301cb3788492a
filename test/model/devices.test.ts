/** Models on other devices than the processor: a ggml backend made for tests, and Vulkan where this machine has it. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { faultyGpu } from "../support/faulty-gpu.ts";
import { generateModel } from "../support/gguf-models.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-devices-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const model = generateModel(directory, "llama-f32");
const RUNNER = join(import.meta.dir, "../support/one-answer.ts");

interface Outcome {
  tokens: number[];
  again: number[];
  text: string;
  streamed: string;
  warnings: { message: string; data: { reason: string; path?: string } }[];
  loaded: { device: string; fallback?: string }[];
}

interface Failure {
  error: { code: string; message: string; hint: string };
}

async function answerOf(device: string, env: Record<string, string>): Promise<Outcome> {
  const outcome = await outcomeOf(device, env);
  if ("error" in outcome) throw new Error(outcome.error.message);
  return outcome;
}

async function outcomeOf(device: string, env: Record<string, string>): Promise<Outcome | Failure> {
  const child = Bun.spawn([process.execPath, RUNNER, model, device], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await child.stdout.text());
}

const onCpu = answerOf("cpu", {});

describe.skipIf(process.platform !== "linux")("a model on a GPU", () => {
  const gpu = { GGML_BACKEND_PATH: process.platform === "linux" ? faultyGpu() : "" };

  test("is put there by itself and answers as on the processor", async () => {
    const { tokens, warnings, loaded } = await answerOf("auto", gpu);
    expect(tokens).toEqual((await onCpu).tokens);
    expect(tokens).toHaveLength(32);
    expect(warnings).toEqual([]);
    expect(loaded.map(({ device }) => device)).toEqual(["Faulty0 (a GPU for tests)"]);
  });

  test("stays off it where the processor is asked for", async () => {
    const { tokens, loaded } = await answerOf("cpu", { ...gpu, FAULTY_GPU: "alloc" });
    expect(tokens).toEqual((await onCpu).tokens);
    expect(loaded.map(({ device }) => device)).toEqual(["CPU"]);
  });

  const failures: [string, string, RegExp][] = [
    ["has no memory for it", "alloc", /failed to allocate Faulty buffer/],
    ["cannot start", "start", /failed to initialize Faulty0 backend/],
    ["fails at the first computation", "compute:1", /compute/],
    ["fails in the middle of an answer", "compute:12", /compute/],
    ["fails at a later request", "compute:40", /compute/],
  ];
  for (const [name, mode, reason] of failures) {
    test(`that ${name} is left for the processor, once, with a warning, and the request is answered`, async () => {
      const { tokens, again, text, streamed, warnings, loaded } = await answerOf("auto", {
        ...gpu,
        FAULTY_GPU: mode,
      });
      expect(tokens).toEqual((await onCpu).tokens);
      expect(again).toEqual((await onCpu).tokens);
      expect(streamed).toBe(text);
      expect(warnings.map(({ message }) => message)).toEqual([
        "the GPU failed, the processor is used instead",
      ]);
      expect(warnings[0]!.data.reason).toMatch(reason);
      expect(warnings[0]!.data.path).toBe(model);
      expect(loaded).toHaveLength(1);
      expect(loaded[0]).toMatchObject({ device: "CPU", fallback: warnings[0]!.data.reason });
    });
  }

  test("takes as many layers as fit where its memory does not suffice for all", async () => {
    // its layers and its output matrix are 0.73 MB of weights; more than the room is refused by the GPU
    const { tokens, warnings, loaded } = await answerOf("auto", { ...gpu, FAULTY_GPU_ROOM: "600000" });
    expect(warnings).toEqual([]);
    expect(tokens).toEqual((await onCpu).tokens);
    expect(loaded.map(({ device }) => device)).toEqual(["Faulty0 (a GPU for tests)"]);
  });

  test("whose library cannot be loaded, or brings no device, is told of once", async () => {
    const missing = await answerOf("auto", { GGML_BACKEND_PATH: join(directory, "libggml-none.so") });
    const empty = await answerOf("auto", { ...gpu, FAULTY_GPU: "none" });
    for (const [{ tokens, warnings }, reason] of [
      [missing, /libggml-none.so: .*No such file/],
      [empty, /libggml-faulty.so: it finds no device/],
    ] as const) {
      expect(tokens).toEqual((await onCpu).tokens);
      expect(warnings.map(({ message }) => message)).toEqual([
        "no GPU can be used, the processor is used instead",
      ]);
      expect(warnings[0]!.data.reason).toMatch(reason);
    }
  });
});

describe("a device that is asked for and not there", () => {
  test("is refused, with what to do", async () => {
    for (const device of ["cuda", "vulkan"]) {
      const { error } = (await outcomeOf(device, {})) as Failure;
      expect(error.message).toBe(`Cannot use device '${device}': this build has no such backend`);
      expect(error.code).toBe("config");
      expect(error.hint).toContain('device = "auto"');
    }
  });
});

const VULKAN = join(import.meta.dir, "../../build/native/linux-x64-vulkan/libggml-vulkan.so");
const hasVulkan = existsSync(VULKAN) && existsSync("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json");
describe.skipIf(!hasVulkan)("Vulkan, computed by Mesa's lavapipe", () => {
  const vulkan = { GGML_BACKEND_PATH: VULKAN, GGML_VK_VISIBLE_DEVICES: "0" };

  test("answers as the processor does", async () => {
    const { tokens, warnings, loaded } = await answerOf("vulkan", vulkan);
    expect(warnings).toEqual([]);
    expect(loaded[0]!.device).toStartWith("Vulkan0 (llvmpipe");
    expect(tokens).toEqual((await onCpu).tokens);
  });
});
