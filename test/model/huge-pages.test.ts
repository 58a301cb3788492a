/** What Linux itself says of the memory that a model is given (proc(5), VmFlags). */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { Loaded } from "../../src/models/llamacpp/loaded.ts";
import { REQUEST_WORDS } from "../../src/models/llamacpp/protocol.ts";
import { Turns } from "../../src/models/llamacpp/turns.ts";
import { GENERATED_MODELS, generateModel } from "../support/gguf-models.ts";
import { specOf } from "./support.ts";

const MIB = 2 ** 20;
const CONTEXT_TOKENS = 16_384;

const isLinuxWithThem = existsSync("/sys/kernel/mm/transparent_hugepage/enabled");

/** Bytes for which huge pages were asked. */
function askedBytes(): number {
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  return mappings
    .filter((mapping) => /^VmFlags:.* hg\b/m.test(mapping))
    .reduce((sum, mapping) => sum + Number(/^Size: +(\d+) kB/m.exec(mapping)![1]) * 1024, 0);
}

test.skipIf(!isLinuxWithThem)(
  "huge pages are asked for what a context keeps, and for nothing else",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "llmspell-pages-"));
    try {
      const shape = {
        ...GENERATED_MODELS["llama-f32"]!,
        width: 512,
        layers: 3,
        heads: 8,
        kvHeads: 4,
        headWidth: 64,
      };
      const path = generateModel(directory, "wide", shape);
      const library = loadLlama((await llamaLibraries()).directory);
      const words = new Int32Array(new SharedArrayBuffer(REQUEST_WORDS * 4));
      const before = askedBytes();
      {
        using loaded = Loaded.load(
          library,
          { ...specOf(path), contextTokens: CONTEXT_TOKENS },
          words,
          new Turns(),
        );
        loaded.prepare();
        // keys and values of 4 heads of 64 numbers of 2 bytes, in 3 layers; the edges of a mapping stay as they are
        const cacheBytes = CONTEXT_TOKENS * 3 * 2 * 4 * 64 * 2;
        expect(askedBytes() - before).toBeGreaterThan(cacheBytes - 4 * MIB);
        const asked = askedBytes();
        const other = new Uint8Array(64 * MIB).fill(1);
        expect([other.length, askedBytes()]).toEqual([64 * MIB, asked]);
      }
      expect(askedBytes()).toBe(before);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
