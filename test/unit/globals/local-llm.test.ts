/** Expected shapes: spec/lua-api.md section 18. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { ScriptTable } from "../../../src/core/values.ts";
import { LocalLLMGlobal } from "../../../src/globals/local-llm.ts";
import { caller, fieldsOf } from "../../support/globals.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";

const SPELL_MINI = join(import.meta.dir, "../../../models/spell-mini/spell-mini.gguf");

describe("LocalLLM", () => {
  test("status has an entry for each backend, the built-in one under both of its names", async () => {
    using home = temporaryHome();
    const call = caller(LocalLLMGlobal, (await modelService(home)).services);
    expect(await call("status")).toEqual({
      ollama: { running: false, models: 0, error: "Not configured" },
      candle: { ready: true, models: 1 },
      llamacpp: { ready: true, models: 1 },
    });
  });

  test("list gives ids, sizes and dates under every name of the backend", async () => {
    using home = temporaryHome();
    const { models, services } = await modelService(home);
    await models.import(SPELL_MINI, { force: false, name: "mine:x" });
    const call = caller(LocalLLMGlobal, services);
    const all = (await call("list")) as Record<string, unknown>[];
    expect(all).toEqual([
      { id: "spell-mini", backend: "llamacpp", size_bytes: 4_857_664, quantization: "Q8_0" },
      {
        id: "mine:x",
        backend: "llamacpp",
        size_bytes: 4_857_664,
        quantization: "Q8_0",
        modified_at: expect.any(Number),
      },
    ]);
    for (const backend of ["all", "candle", "llamacpp"]) expect(await call("list", backend)).toEqual(all);
    expect(await call("list", "ollama")).toEqual([]);
  });

  test("info accepts local/ and @backend, and size besides size_bytes", async () => {
    using home = temporaryHome();
    const call = caller(LocalLLMGlobal, (await modelService(home)).services);
    const info = await call("info", "local/spell-mini@candle");
    expect(fieldsOf(info)).toMatchObject({
      id: "spell-mini",
      backend: "llamacpp",
      size_bytes: 4_857_664,
      format: "gguf",
      loaded: false,
      parameter_count: 4_517_120,
      quantization: "Q8_0",
      context_length: 1024,
      architecture: "llama",
    });
    expect((info as ScriptTable).parts.fallback).toEqual({ size: 4_857_664 });
  });

  test.each(["nope", "nope@ollama", "spell-mini@ollama"])(
    "info raises for %p in the specified words",
    async (model) => {
      using home = temporaryHome();
      const call = caller(LocalLLMGlobal, (await modelService(home)).services);
      expect((await failure(() => call("info", model))).message).toBe(
        `Model '${model}' not found in any backend`,
      );
    },
  );

  test("neither status nor list raises when the store cannot be read", async () => {
    using home = temporaryHome();
    mkdirSync(join(home.data, "models"), { recursive: true });
    symlinkSync("llamacpp", join(home.data, "models/llamacpp")); // leads to itself
    const call = caller(LocalLLMGlobal, (await modelService(home)).services);
    expect(await call("list")).toEqual([]);
    expect(await call("status")).toMatchObject({
      candle: { ready: false, models: 0, error: expect.any(String) },
    });
  });
});
