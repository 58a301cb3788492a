/** What holds for a service with a real model behind it (spell-mini, greedy), whatever format it speaks. */
import assert from "node:assert/strict";
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import { SpellError } from "../../../src/core/errors.ts";
import type { ModelOverrides, SpellModel } from "../../../src/models/service.ts";

export interface LiveTarget {
  open(overrides?: ModelOverrides, modelId?: string): Promise<SpellModel>;
  contextTokens: number;
}

export interface LiveCase {
  name: string;
  run(target: LiveTarget): Promise<void>;
}

const user = (text: string): LanguageModelV4Message => ({ role: "user", content: [{ type: "text", text }] });
const GREEDY = { temperature: 0, maxOutputTokens: 64 } as const;
const HELLO: LanguageModelV4CallOptions = { prompt: [user("Hello")], ...GREEDY };
const ANSWER = "Hello! How can I help you?";

const CALCULATOR = {
  type: "function" as const,
  name: "calculator",
  description: "Evaluates arithmetic expressions",
  inputSchema: {
    type: "object" as const,
    properties: { input: { type: "string" as const } },
    required: ["input"],
    additionalProperties: false,
  },
};

async function streamed(model: SpellModel, options: LanguageModelV4CallOptions) {
  let text = "";
  const calls: { toolCallId: string; toolName: string; input: string }[] = [];
  const { stream } = await model.doStream(options);
  for await (const part of stream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") text += part.delta;
    if (part.type === "tool-call") calls.push(part);
    if (part.type === "finish") return { text, calls, finish: part };
  }
  assert.fail("the stream has no end");
}

async function failing(call: () => Promise<unknown>): Promise<SpellError> {
  try {
    await call();
  } catch (error) {
    assert(error instanceof SpellError, String(error));
    return error;
  }
  assert.fail("nothing failed");
}

export const liveCases: readonly LiveCase[] = [
  {
    name: "an answer in one piece and one in a stream are the same",
    async run({ open }) {
      const model = await open();
      const whole = await model.doGenerate(HELLO);
      assert.deepEqual(
        whole.content.flatMap((part) => (part.type === "text" ? part.text : [])),
        [ANSWER],
      );
      const { text, finish } = await streamed(model, HELLO);
      assert.equal(text, ANSWER);
      for (const { finishReason, usage } of [whole, finish]) {
        assert.equal(finishReason.unified, "stop");
        assert(usage.inputTokens.total! > 0 && usage.outputTokens.total! > 0, JSON.stringify(usage));
      }
      assert.equal(whole.usage.inputTokens.total, finish.usage.inputTokens.total);
      assert.equal(whole.usage.outputTokens.total, finish.usage.outputTokens.total);
    },
  },
  {
    name: "a conversation with system text",
    async run({ open }) {
      const { text } = await streamed(await open(), {
        prompt: [
          { role: "system", content: "You are a helpful assistant." },
          user("Hello"),
          { role: "assistant", content: [{ type: "text", text: ANSWER }] },
          user("Hello"),
        ],
        ...GREEDY,
      });
      assert.notEqual(text, "");
    },
  },
  {
    name: "a limit of tokens ends an answer",
    async run({ open }) {
      const { finish } = await streamed(await open(), { ...HELLO, maxOutputTokens: 2 });
      assert.equal(finish.finishReason.unified, "length");
      assert.equal(finish.usage.outputTokens.total, 2);
    },
  },
  {
    name: "a tool is called, and its result answered",
    async run({ open }) {
      const model = await open();
      const options: LanguageModelV4CallOptions = {
        prompt: [user("What is 15 + 27?")],
        tools: [CALCULATOR],
        ...GREEDY,
      };
      const { calls, finish } = await streamed(model, options);
      assert.equal(finish.finishReason.unified, "tool-calls");
      assert.equal(calls.length, 1);
      const [call] = calls;
      assert.equal(call!.toolName, "calculator");
      const input = JSON.parse(call!.input) as { input: string };
      assert.match(input.input, /15\s*\+\s*27/);
      const { toolCallId, toolName } = call!;
      const answer = await streamed(model, {
        ...options,
        prompt: [
          ...options.prompt,
          { role: "assistant", content: [{ type: "tool-call", toolCallId, toolName, input }] },
          {
            role: "tool",
            content: [
              {
                type: "tool-result",
                toolCallId,
                toolName,
                output: { type: "text", value: '{"result": 42}' },
              },
            ],
          },
        ],
      });
      assert.match(answer.text, /42/);
    },
  },
  {
    name: "an answer keeps to a schema",
    async run({ open }) {
      const { text } = await streamed(await open(), {
        ...HELLO,
        maxOutputTokens: 200,
        responseFormat: {
          type: "json",
          schema: {
            type: "object",
            properties: { kind: { type: "string", enum: ["town", "village"] }, big: { type: "boolean" } },
            required: ["kind", "big"],
            additionalProperties: false,
          },
        },
      });
      const value = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(Object.keys(value).sort(), ["big", "kind"]);
      assert(value.kind === "town" || value.kind === "village");
      assert.equal(typeof value.big, "boolean");
    },
  },
  {
    name: "a wrong key is refused, and not told",
    async run({ open }) {
      const apiKey = "a-wrong-key-0123456789";
      const error = await failing(async () => (await open({ apiKey })).doGenerate(HELLO));
      assert.equal(error.code, "provider");
      assert.equal(error.data.statusCode, 401);
      assert(!JSON.stringify([error.message, error.hint, error.data]).includes(apiKey));
    },
  },
  {
    name: "a prompt that is too long is refused, by the service's words",
    async run({ open, contextTokens }) {
      const prompt = [user("word ".repeat(contextTokens * 2))];
      const error = await failing(async () => streamed(await open(), { prompt, ...GREEDY }));
      assert(["provider", "context_overflow"].includes(error.code));
      assert.equal(error.data.statusCode, 400);
      assert.match(error.message, /context/i);
    },
  },
  {
    name: "a call that is given up ends, and the service goes on",
    async run({ open }) {
      const model = await open();
      const giveUp = new AbortController();
      const { stream } = await model.doStream({
        ...HELLO,
        maxOutputTokens: 400,
        abortSignal: giveUp.signal,
      });
      let last = "";
      for await (const part of stream) {
        last = part.type;
        if (part.type === "text-delta") giveUp.abort(new SpellError("interrupted", "enough"));
      }
      assert(last === "error" || last === "finish", last);
      assert.equal((await streamed(model, HELLO)).text, ANSWER);
    },
  },
  {
    name: "many at once each get their answer",
    async run({ open }) {
      const model = await open();
      const answers = await Promise.all(Array.from({ length: 12 }, () => streamed(model, HELLO)));
      assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set([ANSWER]));
    },
  },
];
