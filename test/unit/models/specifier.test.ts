/** Expected values: spec/agents-workflows-rag.md section 2.1. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { formatSpecifier, parseSpecifier } from "../../../src/models/specifier.ts";

function failure(body: () => unknown): SpellError {
  try {
    body();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("parseSpecifier", () => {
  test.each([
    ["openai/gpt-4o", "openai", "gpt-4o", undefined],
    ["local/llama3.1:8b@ollama", "local", "llama3.1:8b", "ollama"],
    ["mistral:7b@candle", undefined, "mistral:7b", "llamacpp"],
    ["mistral:7b@llamacpp", undefined, "mistral:7b", "llamacpp"],
    ["local/x", "local", "x", undefined],
    ["gpt-4o", undefined, "gpt-4o", undefined],
    ["  openai/gpt-4o \n", "openai", "gpt-4o", undefined],
    ["openai/", "openai", "", undefined],
  ] as const)("%p is provider %p, model %p, backend %p", (text, provider, model, backend) => {
    expect(parseSpecifier(text)).toEqual({ provider, model, backend });
  });

  test("splits at the first slash, so that a model's own name may have slashes", () => {
    expect(parseSpecifier("together/meta-llama/Llama-3-70b")).toMatchObject({
      provider: "together",
      model: "meta-llama/Llama-3-70b",
    });
  });

  test("takes the backend after the last @", () => {
    expect(parseSpecifier("local/team@2024/model@ollama")).toMatchObject({
      model: "team@2024/model",
      backend: "ollama",
    });
  });

  test("leaves slashes to the model when the provider is named apart", () => {
    expect(parseSpecifier("meta-llama/Llama-3-70b", "together")).toMatchObject({
      provider: "together",
      model: "meta-llama/Llama-3-70b",
    });
  });

  test("reads @backend also when the provider is named apart", () => {
    expect(parseSpecifier("mistral:7b@candle", "local")).toEqual({
      provider: "local",
      model: "mistral:7b",
      backend: "llamacpp",
    });
  });

  test("accepts a provider that is named twice", () => {
    expect(parseSpecifier("openai/gpt-4o", "openai")).toMatchObject({ provider: "openai", model: "gpt-4o" });
  });

  test.each(["", "   ", "\n"])("refuses the empty specifier %p", (text) => {
    const error = failure(() => parseSpecifier(text));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toBe("Model specification cannot be empty");
  });

  test("offers the nearest name for an unknown backend", () => {
    const error = failure(() => parseSpecifier("local/x@olama"));
    expect(error.code).toBe("not_found");
    expect(error.hint).toContain('"ollama"');
  });

  test("does not take a property every object has for a backend", () => {
    expect(failure(() => parseSpecifier("local/x@constructor")).code).toBe("not_found");
  });
});

describe("formatSpecifier", () => {
  test.each(["openai/gpt-4o", "local/llama3.1:8b@ollama", "gpt-4o", "together/meta-llama/Llama-3-70b"])(
    "writes %p as it was read",
    (text) => {
      expect(formatSpecifier(parseSpecifier(text))).toBe(text);
    },
  );
});
