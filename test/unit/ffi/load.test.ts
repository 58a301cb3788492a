import type { Pointer } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { NativeHandle } from "../../../src/ffi/llama/handle.ts";
import { reasonIn } from "../../../src/ffi/llama/library.ts";

describe("loadLlama", () => {
  test("names the platform, the library and the loader's reason when it cannot be loaded", () => {
    const directory = mkdtempSync(join(tmpdir(), "llmspell-load-"));
    try {
      writeFileSync(join(directory, "libllmspell-llama.so"), "not a library");
      // A process of its own: a library that is loaded stays, and other tests load the real one.
      const library = JSON.stringify(resolve("src/ffi/llama/library.ts"));
      const code = `import { loadLlama } from ${library};
        try { loadLlama(${JSON.stringify(directory)}) } catch (e) { console.log(JSON.stringify({ code: e.code, message: e.message, ...e.data })) }`;
      const { stdout } = Bun.spawnSync([process.execPath, "-e", code]);
      const error = JSON.parse(stdout.toString());
      expect(error.code).toBe("platform");
      expect(error.message).toContain(`${process.platform}-${process.arch}`);
      expect(error.message).toContain(join(directory, "libllmspell-llama"));
      expect(error.reason).not.toBe("");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe("a native handle", () => {
  class Counted extends NativeHandle {
    freed = 0;
    constructor() {
      super(64 as Pointer, "the thing");
    }
    protected free(): void {
      this.freed++;
    }
  }

  test("is freed once and refuses use afterwards", () => {
    const handle = new Counted();
    expect(handle.pointer).toBe(64 as Pointer);
    handle.dispose();
    handle.dispose();
    expect(handle.freed).toBe(1);
    expect(() => handle.pointer).toThrow("Cannot use the thing: it has been disposed of");
  });

  test("is freed at the end of its scope", () => {
    let kept: Counted;
    {
      using handle = new Counted();
      kept = handle;
    }
    expect(kept.freed).toBe(1);
  });
});

describe("reasonIn", () => {
  test("finds the line that says why in llama.cpp's log", () => {
    const log =
      "llama_model_load: error loading model: missing tensor 'output.weight'\nllama_model_load_from_file_impl: failed to load model\n";
    expect(reasonIn(log)).toBe("missing tensor 'output.weight'");
    expect(reasonIn("")).toBeUndefined();
  });
});
