/** The vendors whose interfaces the loopback servers have, and how they differ. */
import { anthropicFormat } from "./anthropic-format.ts";
import { cohereFormat } from "./cohere-format.ts";
import type { WireFormat } from "./format.ts";
import { geminiFormat } from "./gemini-format.ts";
import { type OpenAIVariant, openAIFormat } from "./openai-format.ts";
import { anyObject, anything, either, flag, listOf, number, object, oneOf, text, whole } from "./rules.ts";

export const KEY = "sk-test/key+0123456789abcdef";

export interface VendorFacts {
  type: string;
  modelId: string;
  /** Added to the server's origin. */
  basePath: string;
  format: WireFormat;
  /** What it cannot do, by its documentation. */
  lacks: readonly (
    | "tools"
    | "images"
    | "embeddings"
    | "filter"
    | "cached"
    | "seed"
    | "topK"
    | "stop"
    | "reasoning"
  )[];
  embeddingModel?: string;
  /** Where `modelId` sees no images. */
  imageModel?: string;
  callIds: readonly [string, string];
  /** Where a request carries a schema. */
  schemaIn(body: Fields): unknown;
}

interface Fields {
  [field: string]: Fields | undefined;
}
const jsonSchema = (body: Fields): unknown => body.response_format?.json_schema?.schema;
const CALL_IDS = ["call_9FsTOPmXu3zLGqtqqsFKvQHZ", "call_2xbQTqLLkWHdDm4a1bXWQ7uE"] as const;

const openAILike = (variant: Omit<OpenAIVariant, "key">) => openAIFormat({ key: KEY, ...variant });

const mistralError = (status: number, message: string): unknown => {
  if (status === 401) return { detail: "Unauthorized" };
  if (status === 400 || status === 422)
    return { detail: [{ type: "extra_forbidden", loc: ["body", "messages"], msg: message, input: null }] };
  return { object: "error", message, type: "invalid_model", param: null, code: "1500" };
};

export const VENDORS: readonly VendorFacts[] = [
  {
    type: "openai",
    modelId: "gpt-4o-mini",
    basePath: "/v1",
    format: openAILike({ path: "/v1/chat/completions" }),
    lacks: ["topK", "reasoning"],
    embeddingModel: "text-embedding-3-small",
    callIds: CALL_IDS,
    schemaIn: jsonSchema,
  },
  {
    type: "anthropic",
    modelId: "claude-sonnet-4-5",
    basePath: "/v1",
    format: anthropicFormat(KEY),
    lacks: ["embeddings", "seed"],
    callIds: ["toolu_01T1x1fJ34qAmk2tNTrN7Up6", "toolu_01A09q90qw90lq917835lq9"],
    schemaIn: (body) => body.output_config?.format?.schema,
  },
  {
    type: "cohere",
    modelId: "command-a-03-2025",
    basePath: "/v2",
    format: cohereFormat(KEY),
    // its client drops the count of cached tokens
    lacks: ["filter", "cached"],
    imageModel: "command-a-vision-07-2025",
    embeddingModel: "embed-v4.0",
    callIds: ["get_weather_nsz5zm3w56q3", "get_weather_abx3mgz9q1r8"],
    schemaIn: (body) => body.response_format?.json_schema,
  },
  {
    type: "groq",
    modelId: "openai/gpt-oss-20b",
    basePath: "/openai/v1",
    format: openAILike({
      path: "/openai/v1/chat/completions",
      usageKey: "x_groq",
      reasoning: "reasoning",
      fields: { reasoning_format: text, include_reasoning: flag, service_tier: text },
    }),
    lacks: ["embeddings", "topK"],
    imageModel: "meta-llama/llama-4-scout-17b-16e-instruct",
    callIds: CALL_IDS,
    schemaIn: jsonSchema,
  },
  {
    type: "perplexity",
    modelId: "sonar",
    basePath: "",
    format: openAILike({
      path: "/chat/completions",
      without: ["tools", "tool_choice", "parallel_tool_calls", "seed", "stream_options", "stop"],
      fields: { top_k: whole, search_domain_filter: listOf(text), web_search_options: anyObject },
      endsWithDone: false,
      tellsSources: true,
      nameIsOptional: true,
      error: (status, message) => ({ error: { message, type: "invalid_request", code: status } }),
    }),
    lacks: ["tools", "embeddings", "filter", "cached", "seed", "stop", "reasoning"],
    callIds: CALL_IDS,
    schemaIn: jsonSchema,
  },
  {
    type: "together",
    modelId: "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    basePath: "/v1",
    format: openAILike({
      path: "/v1/chat/completions",
      stopWord: "eos",
      reasoning: "reasoning",
      fields: { top_k: whole, repetition_penalty: number(0, 2), min_p: number(0, 1), safety_model: text },
      error: (status, message) => ({
        id: "oCD-1",
        error: {
          message,
          type: status < 500 ? "invalid_request_error" : "server_error",
          param: null,
          code: null,
        },
      }),
    }),
    lacks: ["topK"],
    imageModel: "Qwen/Qwen2.5-VL-72B-Instruct",
    embeddingModel: "BAAI/bge-base-en-v1.5",
    callIds: CALL_IDS,
    schemaIn: jsonSchema,
  },
  {
    type: "gemini",
    modelId: "gemini-2.5-flash",
    basePath: "/v1beta",
    format: geminiFormat(KEY),
    lacks: [],
    embeddingModel: "gemini-embedding-001",
    callIds: ["", ""],
    schemaIn: ({ generationConfig: config }) => config?.responseSchema ?? config?.responseJsonSchema,
  },
  {
    type: "mistral",
    modelId: "mistral-small-latest",
    basePath: "/v1",
    format: openAILike({
      path: "/v1/chat/completions",
      without: ["seed", "stream_options", "user", "tool_choice"],
      fields: {
        random_seed: whole,
        safe_prompt: flag,
        prompt_mode: oneOf("reasoning", null),
        prediction: anything,
        tool_choice: either(
          oneOf("auto", "none", "any", "required"),
          object({ type: text, function: anyObject }),
        ),
      },
      callId: /^[a-zA-Z0-9]{9}$/,
      wholeCalls: true,
      acceptsStrict: true,
      error: mistralError,
    }),
    lacks: ["filter", "topK", "reasoning"],
    embeddingModel: "mistral-embed",
    callIds: ["D681PevKs", "pQ7TrXb2m"],
    schemaIn: jsonSchema,
  },
  {
    type: "custom",
    modelId: "qwen3:8b",
    basePath: "/api/v3",
    format: openAILike({ path: "/api/v3/chat/completions", reasoning: "reasoning_content" }),
    lacks: ["topK"],
    embeddingModel: "nomic-embed-text",
    callIds: CALL_IDS,
    schemaIn: jsonSchema,
  },
];
