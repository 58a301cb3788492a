/** Figures: the vendors' model pages. */
import { expect, test } from "bun:test";
import { contextTokensOf, seesImages } from "../../../../src/models/providers/cloud/known-models.ts";

test.each([
  ["openai", "gpt-4o-mini", 128_000, true],
  ["openai", "gpt-5-mini", 400_000, true],
  ["openai", "gpt-5-chat-latest", 128_000, true],
  ["openai", "gpt-5.5-2026-04-23", 1_050_000, true],
  ["openai", "gpt-3.5-turbo", 16_385, false],
  ["anthropic", "claude-3-5-haiku-latest", 200_000, true],
  ["anthropic", "claude-opus-4-5-20251101", 200_000, true],
  ["anthropic", "claude-opus-4-6", 1_000_000, true],
  ["anthropic", "claude-sonnet-5-5", 1_000_000, true],
  ["gemini", "gemini-2.5-flash", 1_048_576, true],
  ["cohere", "command-r-08-2024", 128_000, false],
  ["perplexity", "sonar-pro", 200_000, true],
] as const)("%s/%s is known", (type, model, tokens, images) => {
  expect([contextTokensOf(type, model), seesImages(type, model)]).toEqual([tokens, images]);
});

test.each([
  ["openai", "gpt-50"],
  ["openai", "gpt-4o-audio-preview"],
  ["gemini", "gemini-2.5-flash-image"],
  ["mistral", "mistral-small-latest"],
  ["custom", "gpt-4o"],
  ["toString", "x"],
])("%s/%s is not", (type, model) => {
  expect([contextTokensOf(type, model), seesImages(type, model)]).toEqual([undefined, undefined]);
});
