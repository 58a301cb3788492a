/** Random models write answers to schemas at temperature 1; Ajv judges them. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JSONSchema7 } from "@ai-sdk/provider";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { SpellError } from "../../../src/core/errors.ts";
import { schemaGrammar } from "../../../src/models/grammar/schema.ts";
import type { SpellModel } from "../../../src/models/service.ts";
import { SchemaSource } from "./random-schema.ts";

export interface SchemaCase {
  name: string;
  schema: unknown;
  draft: 7 | 2020;
}

/** The schemas of JSON-Schema-Test-Suite (draft 4, whose remaining keywords draft 7 reads alike). */
export function suiteCases(): SchemaCase[] {
  const directory = join(dirname(require.resolve("json-schema-test-suite/package.json")), "tests/draft4");
  return [directory, join(directory, "optional")].flatMap((place) =>
    readdirSync(place)
      .filter((file) => file.endsWith(".json"))
      .sort()
      .flatMap((file) => {
        const groups = JSON.parse(readFileSync(join(place, file), "utf8")) as {
          description: string;
          schema: unknown;
        }[];
        return groups.map(({ description, schema }) => ({
          name: `${file}: ${description}`,
          schema,
          draft: 7 as const,
        }));
      }),
  );
}

export function randomCases(seed: number, count: number): SchemaCase[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `random ${seed + i}`,
    schema: new SchemaSource(seed + i).document(),
    draft: 2020,
  }));
}

export type Verdict =
  | { kind: "held"; tokens: number }
  | { kind: "refused"; reason: string }
  /** No answer ended within the tokens that were allowed. */
  | { kind: "cut" }
  | { kind: "broken"; answer: string; errors: unknown };

const ANSWER_TOKENS = 400;
const ATTEMPTS = 4;

/** One schema: refused, or `answers` that all have to be valid. */
export async function holdSchema(one: SchemaCase, model: SpellModel, answers: number): Promise<Verdict> {
  try {
    schemaGrammar(one.schema);
  } catch (error) {
    if (error instanceof SpellError && error.code === "invalid_argument")
      return { kind: "refused", reason: error.message };
    throw error;
  }
  const validate = validatorOf(one);
  let tokens = 0;
  let held = 0;
  for (let seed = 1; held < answers && seed <= answers * ATTEMPTS; seed++) {
    const { content, finishReason, usage } = await model.doGenerate({
      prompt: [{ role: "user", content: [{ type: "text", text: one.name }] }],
      responseFormat: { type: "json", schema: one.schema as JSONSchema7 },
      maxOutputTokens: ANSWER_TOKENS,
      temperature: 1,
      topK: 0,
      topP: 1,
      seed,
    });
    const answer = content.map((part) => (part.type === "text" ? part.text : "")).join("");
    if (finishReason.unified === "length") continue;
    if (!isValid(validate, answer)) return { kind: "broken", answer, errors: validate.errors };
    tokens += usage.outputTokens.total ?? 0;
    held++;
  }
  return held === 0 ? { kind: "cut" } : { kind: "held", tokens };
}

function validatorOf({ schema, draft }: SchemaCase) {
  const options = { strict: false, validateSchema: false, logger: false as const };
  const ajv = draft === 7 ? new Ajv(options) : new Ajv2020(options);
  addFormats(ajv as Ajv);
  return ajv.compile(schema as object);
}

function isValid(validate: ReturnType<typeof validatorOf>, answer: string): boolean {
  try {
    return validate(JSON.parse(answer));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** All cases, some side by side; `broken` names those whose answers were wrong. */
export async function holdAll(cases: readonly SchemaCase[], models: readonly SpellModel[], answers: number) {
  const figures = { held: 0, refused: 0, cut: 0, tokens: 0 };
  const broken: { name: string; schema: string; answer: string; errors: unknown }[] = [];
  const reasons = new Map<string, string>();
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < cases.length; i = next++) {
      const one = cases[i]!;
      const verdict = await holdSchema(one, models[i % models.length]!, answers);
      if (verdict.kind === "refused") reasons.set(one.name, verdict.reason);
      if (verdict.kind === "broken")
        broken.push({ name: one.name, schema: JSON.stringify(one.schema), ...verdict });
      else figures[verdict.kind]++;
      if (verdict.kind === "held") figures.tokens += verdict.tokens;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return { ...figures, broken, reasons };
}
