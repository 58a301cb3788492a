/** Random models write answers to schemas of a public suite and to random ones; Ajv judges each. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import { holdAll, randomCases, suiteCases } from "../conformance/constrained/hold.ts";
import { generateModel } from "../support/gguf-models.ts";
import { check, type Soak } from "./soak.ts";

const FULL_RANDOM = 700;
const FULL_HELD = 500;

export const schemas: Soak = {
  name: "schemas",
  description: "answers of random models to a suite's and to random schemas: every one is valid by Ajv",
  async run({ seed, full }) {
    const directory = mkdtempSync(join(tmpdir(), "llmspell-schemas-"));
    const client = new InferenceClient();
    try {
      const models = ["llama-f32", "gemma-q8_0"].map((id) =>
        createLlamaModel({ path: generateModel(directory, id), id, threads: 1, client }),
      );
      const cases = [...(full ? suiteCases() : []), ...randomCases(seed, full ? FULL_RANDOM : 12)];
      const { held, refused, cut, tokens, broken } = await holdAll(cases, models, full ? 2 : 1);
      check(broken.length === 0, `seed ${seed}: answers that do not meet their schemas`, broken.slice(0, 5));
      check(held >= (full ? FULL_HELD : cases.length / 2), `seed ${seed}: only ${held} schemas were held`);
      return { schemas: cases.length, held, refused, "not ended in time": cut, tokens };
    } finally {
      await client.dispose();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
