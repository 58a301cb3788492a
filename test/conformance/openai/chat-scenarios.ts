import assert from "node:assert/strict";
import type OpenAI from "openai";
import { GREEDY, type Scenario, type Target, user } from "./scenario.ts";

const HELLO = [user("Hello")];

async function answerOf(
  { client, chatModel }: Target,
  more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {},
) {
  return client.chat.completions.create({ model: chatModel, messages: HELLO, ...GREEDY, ...more });
}

const SCHEMA = {
  type: "object",
  properties: {
    city: { type: "string", maxLength: 12 },
    kind: { type: "string", enum: ["town", "village"] },
    people: { type: "integer", minimum: 0, maximum: 999 },
    tags: { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 2 },
  },
  required: ["city", "kind", "people", "tags"],
  additionalProperties: false,
};

/** By hand: no validator of ours judges. */
function assertFits(text: string): void {
  const value = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual(Object.keys(value).sort(), ["city", "kind", "people", "tags"]);
  assert(typeof value.city === "string" && [...value.city].length <= 12, text);
  assert(value.kind === "town" || value.kind === "village", text);
  assert(
    Number.isInteger(value.people) && (value.people as number) >= 0 && (value.people as number) <= 999,
    text,
  );
  const tags = value.tags as unknown[];
  assert(tags.length >= 1 && tags.length <= 2 && tags.every((tag) => typeof tag === "boolean"), text);
}

const responseFormat = {
  type: "json_schema" as const,
  json_schema: { name: "place", strict: true, schema: SCHEMA },
};

export const chatScenarios: readonly Scenario[] = [
  {
    name: "chat: an answer with its reason, usage and model",
    async run(target) {
      const answer = await answerOf(target);
      assert.equal(answer.object, "chat.completion");
      assert.equal(answer.model, target.chatModel);
      assert(Math.abs(answer.created - Date.now() / 1000) < 3600);
      assert.equal(answer.choices.length, 1);
      assert.equal(answer.choices[0]!.finish_reason, "stop");
      assert.equal(answer.choices[0]!.message.role, "assistant");
      assert.equal(answer.choices[0]!.message.content, "Hello! How can I help you?");
      const { prompt_tokens, completion_tokens, total_tokens } = answer.usage!;
      assert(prompt_tokens > 0 && completion_tokens > 0);
      assert.equal(total_tokens, prompt_tokens + completion_tokens);
    },
  },
  {
    name: "chat: a conversation with system text and content in parts",
    async run(target) {
      const answer = await answerOf(target, {
        messages: [
          { role: "system", content: "You are a helpful assistant." },
          user("Hello"),
          { role: "assistant", content: "Hello! How can I help you?" },
          {
            role: "user",
            content: [
              { type: "text", text: "Hel" },
              { type: "text", text: "lo" },
            ],
          },
        ],
        max_tokens: 24,
      });
      assert.notEqual(answer.choices[0]!.message.content, "");
    },
  },
  {
    name: "chat: a stream says what the whole answer says",
    async run(target) {
      const { client, chatModel } = target;
      const whole = await answerOf(target);
      const stream = await client.chat.completions.create({
        model: chatModel,
        messages: HELLO,
        stream: true,
        ...GREEDY,
      });
      let text = "";
      const reasons: string[] = [];
      const ids = new Set<string>();
      let first: unknown;
      for await (const chunk of stream) {
        ids.add(chunk.id);
        assert.equal(chunk.object, "chat.completion.chunk");
        const [choice] = chunk.choices;
        first ??= choice?.delta.role;
        text += choice?.delta.content ?? "";
        if (choice?.finish_reason) reasons.push(choice.finish_reason);
      }
      assert.equal(first, "assistant");
      assert.equal(text, whole.choices[0]!.message.content);
      assert.deepEqual(reasons, ["stop"]);
      assert.equal(ids.size, 1);
    },
  },
  {
    name: "chat: the last chunk of a stream has the usage",
    async run(target) {
      const { client, chatModel } = target;
      const whole = await answerOf(target);
      const stream = await client.chat.completions.create({
        model: chatModel,
        messages: HELLO,
        stream: true,
        stream_options: { include_usage: true },
        ...GREEDY,
      });
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      const last = chunks.at(-1)!;
      assert.deepEqual(last.choices, []);
      assert.equal(last.usage?.prompt_tokens, whole.usage!.prompt_tokens);
      assert.equal(last.usage?.completion_tokens, whole.usage!.completion_tokens);
    },
  },
  {
    name: "chat: the client's stream helper gathers the same answer",
    async run({ client, chatModel }) {
      const stream = client.chat.completions.stream({ model: chatModel, messages: HELLO, ...GREEDY });
      const { choices } = await stream.finalChatCompletion();
      assert.equal(choices[0]!.message.content, "Hello! How can I help you?");
      assert.equal(choices[0]!.finish_reason, "stop");
    },
  },
  {
    name: "chat: a prompt that was just read counts as cached",
    async run(target) {
      const messages = [user(`Summarise: ${"The weather is mild and the sea is calm. ".repeat(6)}`)];
      await answerOf(target, { messages, max_tokens: 4 });
      const { usage } = await answerOf(target, { messages, max_tokens: 4 });
      const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
      assert(cached > usage!.prompt_tokens / 2, JSON.stringify(usage));
      assert(cached < usage!.prompt_tokens);
    },
  },
  {
    name: "chat: a stop text ends the answer and is no part of it",
    async run(target) {
      for (const stop of ["can", ["zzz", "can"]]) {
        const { choices } = await answerOf(target, { stop });
        assert.equal(choices[0]!.message.content, "Hello! How ");
        assert.equal(choices[0]!.finish_reason, "stop");
      }
    },
  },
  {
    name: "chat: max_tokens and max_completion_tokens limit the answer",
    async run(target) {
      for (const limit of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
        const { choices, usage } = await answerOf(target, limit);
        assert.equal(choices[0]!.finish_reason, "length");
        assert.equal(usage!.completion_tokens, 3);
      }
    },
  },
  {
    name: "chat: the same seed gives the same answer",
    async run(target) {
      const drawn = async (seed: number) => {
        const sampling = { seed, temperature: 2, top_p: 1, max_tokens: 24, top_k: 0, min_p: 0 };
        return (await answerOf(target, sampling)).choices[0]!.message.content;
      };
      const [first, again, other] = [await drawn(7), await drawn(7), await drawn(8)];
      assert.equal(first, again);
      assert.notEqual(first, other);
    },
  },
  {
    name: "chat: n answers to one prompt, which counts once",
    async run(target) {
      const one = await answerOf(target);
      const { choices, usage } = await answerOf(target, { n: 3 });
      assert.deepEqual(
        choices.map(({ index }) => index),
        [0, 1, 2],
      );
      for (const { message } of choices) assert.equal(message.content, "Hello! How can I help you?");
      assert.equal(usage!.prompt_tokens, one.usage!.prompt_tokens);
    },
  },
  {
    name: "usage: counts every answer of a request",
    peer: "counts one answer",
    async run(target) {
      const { client, chatModel } = target;
      const one = await answerOf(target);
      const three = await answerOf(target, { n: 3 });
      assert.equal(three.usage!.completion_tokens, 3 * one.usage!.completion_tokens);
      const prompt = ["Hello", "The sum of 3 and"];
      const { usage } = await client.completions.create({
        model: chatModel,
        prompt,
        max_tokens: 5,
        ...GREEDY,
      });
      assert.equal(usage!.completion_tokens, 10);
    },
  },
  {
    name: "chat: json_object gives a JSON object",
    async run(target) {
      const messages = [user("Extract the name as JSON: Ada is 36.")];
      const { choices } = await answerOf(target, { messages, response_format: { type: "json_object" } });
      assert.deepEqual(JSON.parse(choices[0]!.message.content ?? ""), { name: "Ada" });
    },
  },
  {
    name: "chat: json_schema holds, whole, streamed and with chance",
    async run(target) {
      const { client, chatModel } = target;
      const { choices } = await answerOf(target, { response_format: responseFormat });
      assertFits(choices[0]!.message.content ?? "");
      const stream = client.chat.completions.stream({
        model: chatModel,
        messages: HELLO,
        response_format: responseFormat,
        ...GREEDY,
      });
      assertFits((await stream.finalContent()) ?? "");
      for (let seed = 1; seed <= 5; seed++) {
        const drawn = await answerOf(target, { response_format: responseFormat, seed, temperature: 1.5 });
        assertFits(drawn.choices[0]!.message.content ?? "");
      }
    },
  },
  {
    name: "chat: a stream that is left does not hold up the next answer",
    async run({ client, chatModel }) {
      const stream = await client.chat.completions.create({
        model: chatModel,
        messages: HELLO,
        stream: true,
        response_format: { type: "json_schema", json_schema: { name: "long", schema: LONG } },
        max_tokens: 900,
      });
      let chunks = 0;
      for await (const _ of stream) if (++chunks === 5) break;
      assert.equal(chunks, 5);
      const { choices } = await client.chat.completions.create({
        model: chatModel,
        messages: HELLO,
        ...GREEDY,
      });
      assert.equal(choices[0]!.message.content, "Hello! How can I help you?");
    },
  },
  {
    name: "chat: a call that is aborted ends with the client's own error",
    async run({ client, chatModel }) {
      const abort = new AbortController();
      const call = client.chat.completions.create(
        {
          model: chatModel,
          messages: HELLO,
          response_format: { type: "json_schema", json_schema: { name: "long", schema: LONG } },
          max_tokens: 900,
        },
        { signal: abort.signal },
      );
      setTimeout(() => abort.abort(), 20);
      await assert.rejects(call, { name: "Error", message: "Request was aborted." });
    },
  },
  {
    name: "chat: 20 at once get the answer that one gets",
    async run(target) {
      const questions = ["Hello", "What can you do?", "Who are you?", "Thank you"];
      const asked = (content: string) => answerOf(target, { messages: [user(content)], max_tokens: 40 });
      const expected = new Map<string, string | null>();
      for (const question of questions)
        expected.set(question, (await asked(question)).choices[0]!.message.content);
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const question = questions[i % questions.length]!;
          return [question, (await asked(question)).choices[0]!.message.content] as const;
        }),
      );
      for (const [question, text] of answers) assert.equal(text, expected.get(question));
    },
  },
];

/** Keeps a model busy for hundreds of tokens. */
const LONG = {
  type: "object",
  properties: { list: { type: "array", items: { type: "boolean" }, minItems: 300, maxItems: 300 } },
  required: ["list"],
  additionalProperties: false,
};
