/** What the cases of providers ask with, and what they look at. */
import assert from "node:assert/strict";
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider";
import { SpellError } from "../../../../src/core/errors.ts";
import type { ModelOverrides, ModelService, SpellModel } from "../../../../src/models/service.ts";
import type { ProviderServer } from "../server.ts";
import { KEY, type VendorFacts } from "../vendors.ts";

export interface Target {
  vendor: VendorFacts;
  server: ProviderServer;
  models: ModelService;
  open(overrides?: ModelOverrides, modelId?: string): Promise<SpellModel>;
}

export interface ProviderCase {
  name: string;
  needs?: VendorFacts["lacks"];
  /** Takes seconds, and is the same for all: run for one vendor. */
  isSlow?: true;
  run(target: Target): Promise<void>;
}

export type Part = LanguageModelV4StreamPart;

export const user = (text: string): LanguageModelV4Message => ({
  role: "user",
  content: [{ type: "text", text }],
});
export const HELLO: LanguageModelV4CallOptions = { prompt: [user("Hello")] };

export async function streamed(
  { open }: Target,
  options = HELLO,
  overrides?: ModelOverrides,
  modelId?: string,
): Promise<{ parts: Part[]; text: string; error?: SpellError; finish?: Extract<Part, { type: "finish" }> }> {
  const model = await open(overrides, modelId);
  const parts: Part[] = [];
  const result: Awaited<ReturnType<typeof streamed>> = { parts, text: "" };
  const fail = (error: unknown) => {
    assert(error instanceof SpellError, `no SpellError: ${String((error as Error).stack)}`);
    result.error = error;
  };
  try {
    const { stream } = await model.doStream(options);
    for await (const part of stream) {
      parts.push(part);
      if (part.type === "text-delta") result.text += part.delta;
      if (part.type === "error") fail(part.error);
      if (part.type === "finish") result.finish = part;
    }
  } catch (error) {
    fail(error);
  }
  const ends = parts.filter(({ type }) => type === "finish" || type === "error").length;
  assert(ends <= 1 && (ends === 1 || result.error !== undefined), "a stream has exactly one end");
  return result;
}

export async function failed(
  target: Target,
  options = HELLO,
  overrides?: ModelOverrides,
): Promise<SpellError> {
  const { error, parts } = await streamed(target, options, overrides);
  assert(error !== undefined, `nothing failed: ${JSON.stringify(parts)}`);
  const told = JSON.stringify([error.message, error.hint, error.data, String(error.cause ?? "")]);
  assert(!told.includes(KEY), `the key is told: ${told}`);
  return error;
}

export const TOOL = {
  type: "function" as const,
  name: "get_weather",
  description: "The weather of a place",
  inputSchema: {
    type: "object" as const,
    properties: { place: { type: "string" as const } },
    required: ["place"],
  },
};
export const SCHEMA = {
  type: "object" as const,
  properties: { name: { type: "string" as const }, age: { type: "integer" as const } },
  required: ["name", "age"],
  additionalProperties: false,
};
/** A red dot. */
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

export const LOOK: LanguageModelV4CallOptions = {
  prompt: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "file", mediaType: "image/png", data: { type: "data", data: PNG } },
      ],
    },
  ],
};

export const TEXT = "Größe: 漢字 🦜 — ok\nnext";
