import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../../src/models/llamacpp/model.ts";
import { generateModel } from "../../support/gguf-models.ts";
import { holdAll, suiteCases } from "./hold.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-constrained-"));
const client = new InferenceClient();
// one with a byte-level vocabulary, one with pieces and byte tokens
const models = ["llama-f32", "gemma-q8_0"].map((id) =>
  createLlamaModel({ path: generateModel(directory, id), id, threads: 1, client }),
);
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

/** Keywords of the suite that answers are not held to, by file; `remote`: a schema elsewhere. */
const REFUSED_FILES =
  /^(additionalProperties|definitions|dependencies|maximum|minimum|multipleOf|not|oneOf|patternProperties|properties|ref|refRemote|uniqueItems|bignum|format)\.json/;

describe("what random models write, judged by Ajv", () => {
  test("meets every schema of JSON-Schema-Test-Suite that is not refused", async () => {
    const { held, cut, broken, reasons } = await holdAll(suiteCases(), models, 1);
    expect(broken).toEqual([]);
    expect({ held, cut }).toEqual({ held: 56, cut: 0 });
    expect([...reasons.keys()].filter((name) => !REFUSED_FILES.test(name))).toEqual([]);
  }, 120_000);
});
