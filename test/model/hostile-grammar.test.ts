/** Grammars that no text fits, or that a reader could lose itself in: beside each, another request is answered as ever. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { failureOf, greedy, specOf } from "./support.ts";

const client = new InferenceClient();
const spec = specOf(SPELL_MINI);
const other = greedy("Hello there", { maxTokens: 20 });
const held = (grammar: string) => greedy("", { prompt: { text: "Say aaa ", grammar }, maxTokens: 60 });
let expected: number[] = [];
beforeAll(async () => {
  expected = (await client.generate(spec, other)).tokens;
});
afterAll(() => client.dispose());

/** `r0` stands for 2 to the power of `depth` times `last`. */
const doubled = (depth: number, last: string) =>
  [
    "root ::= r0",
    ...Array.from({ length: depth }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`),
    `r${depth} ::= ${last}`,
  ].join("\n");

const REFUSED: readonly [name: string, grammar: string, reason: string][] = [
  ["no text fits", "root ::= []", "no finite text fits"],
  ["only an endless text fits", 'root ::= "a" root', "no finite text fits"],
  ["begins with itself", 'root ::= root "a" | "a"', "begins with itself"],
  ["is nested without measure", `root ::= ${"(".repeat(1e5)}"a"${")".repeat(1e5)}`, "nested too deep"],
  ["doubles nothing forty times", doubled(40, '""'), "too many ways"],
  [
    "may repeat each of many levels",
    `root ::= ${"(".repeat(150)}"a"${"{0,3})".repeat(150)}`,
    "too many ways",
  ],
  [
    "has as many beginnings as a book",
    `root ::= ${Array.from({ length: 1e5 }, (_, i) => `"w${i}"`).join("|")}`,
    "too many ways",
  ],
  ["repeats a million times", 'root ::= "a"{1000000}', "repetitions"],
];

const KEPT: readonly [name: string, grammar: string, fits: RegExp][] = [
  ["doubles a letter forty times", doubled(40, '"a"'), /^a*$/],
  ["reads the same text in many ways", 'root ::= (([a-z]*)*)* "!"', /^[a-z]*!?$/],
  ["allows one rare character", "root ::= [\\U0010FFFF]", /^\u{10FFFF}$/u],
];

describe("A grammar that", () => {
  test.each(REFUSED)("%s is refused, and others are answered", async (_, grammar, reason) => {
    const [beside, error] = await Promise.all([
      client.generate(spec, other),
      failureOf(client.generate(spec, held(grammar))),
    ]);
    expect(error).toMatchObject({ code: "invalid_argument", message: expect.stringContaining(reason) });
    expect(beside.tokens).toEqual(expected);
  });

  test.each(KEPT)("%s is kept to, and others are answered", async (_, grammar, fits) => {
    const [beside, { text }] = await Promise.all([
      client.generate(spec, other),
      client.generate(spec, held(grammar)),
    ]);
    expect(text).toMatch(fits);
    expect(beside.tokens).toEqual(expected);
  });
});
