/** What every cloud provider has to hold, whatever its wire format. Expected values: the vendors' documentation. */
import assert from "node:assert/strict";
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider";
import { assistantMessage, callModel } from "../../../src/agents/model-call.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { ModelOverrides, ModelService, SpellModel } from "../../../src/models/service.ts";
import { type SentEvent, SIGNATURE } from "./format.ts";
import { type Delivery, type ProviderServer, plainly } from "./server.ts";
import { KEY, type VendorFacts } from "./vendors.ts";

export interface Target {
  vendor: VendorFacts;
  server: ProviderServer;
  models: ModelService;
  open(overrides?: ModelOverrides): Promise<SpellModel>;
}

export interface ProviderCase {
  name: string;
  needs?: VendorFacts["lacks"];
  /** Takes seconds, and is the same for all: run for one vendor. */
  isSlow?: true;
  run(target: Target): Promise<void>;
}

type Part = LanguageModelV4StreamPart;

const user = (text: string): LanguageModelV4Message => ({ role: "user", content: [{ type: "text", text }] });
const HELLO: LanguageModelV4CallOptions = { prompt: [user("Hello")] };

export async function streamed(
  { open }: Target,
  options = HELLO,
  overrides?: ModelOverrides,
): Promise<{ parts: Part[]; text: string; error?: SpellError; finish?: Extract<Part, { type: "finish" }> }> {
  const model = await open(overrides);
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

async function failed(target: Target, options = HELLO, overrides?: ModelOverrides): Promise<SpellError> {
  const { error, parts } = await streamed(target, options, overrides);
  assert(error !== undefined, `nothing failed: ${JSON.stringify(parts)}`);
  const told = JSON.stringify([error.message, error.hint, error.data, String(error.cause ?? "")]);
  assert(!told.includes(KEY), `the key is told: ${told}`);
  return error;
}

const TOOL = {
  type: "function" as const,
  name: "get_weather",
  description: "The weather of a place",
  inputSchema: {
    type: "object" as const,
    properties: { place: { type: "string" as const } },
    required: ["place"],
  },
};
const SCHEMA = {
  type: "object" as const,
  properties: { name: { type: "string" as const }, age: { type: "integer" as const } },
  required: ["name", "age"],
  additionalProperties: false,
};
/** A red dot. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

const TEXT = "Größe: 漢字 🦜 — ok\nnext";

const odd: [string, Delivery][] = [
  ["one byte at a time", { pieceBytes: 1 }],
  ["in pieces of three bytes", { pieceBytes: 3 }],
  ["with CRLF", { write: (events) => plainly(events).replaceAll("\n", "\r\n") }],
  [
    "with CRLF, a byte at a time",
    { write: (events) => plainly(events).replaceAll("\n", "\r\n"), pieceBytes: 1 },
  ],
  ["with CR alone", { write: (events) => plainly(events).replaceAll("\n", "\r"), pieceBytes: 5 }],
  ["with comments and unknown fields", { write: commented }],
  [
    "without a space after the colon",
    { write: (events) => plainly(events).replace(/^(event|data): /gm, "$1:") },
  ],
  ["with data in several lines", { write: manyLines }],
  ["without a final newline", { write: (events) => plainly(events).trimEnd() }],
  ["with a byte order mark", { write: (events) => `\uFEFF${plainly(events)}` }],
];

function commented(events: SentEvent[]): string {
  return events.map((event) => `: keep-alive\n\n:\nretry: 10\nid: 7\n${plainly([event])}`).join("");
}

/** JSON has no line ends of its own outside of texts: after its first brace there may be one. */
function manyLines(events: SentEvent[]): string {
  return plainly(events.map(({ data, ...event }) => ({ ...event, data: data.replace(/^\{/, "{\ndata: ") })));
}

export const cases: readonly ProviderCase[] = [
  {
    name: "answers in one piece, with usage and reason",
    async run({ server, open }) {
      server.script({ answer: { text: TEXT, input: 11, output: 5 } });
      const answer = await (await open()).doGenerate(HELLO);
      assert.deepEqual(
        answer.content.flatMap((part) => (part.type === "text" ? part.text : [])),
        [TEXT],
      );
      assert.equal(answer.finishReason.unified, "stop");
      assert.equal(answer.usage.inputTokens.total, 11);
      assert.equal(answer.usage.outputTokens.total, 5);
      assert.equal(answer.providerMetadata?.llmspell?.retries, 0);
    },
  },
  {
    name: "streams the same, with the time of the first token",
    async run(target) {
      target.server.script({ answer: { text: TEXT, input: 11, output: 5 } });
      const { text, finish, parts } = await streamed(target);
      assert.equal(text, TEXT);
      assert(parts.filter(({ type }) => type === "text-delta").length > 3);
      assert.equal(finish?.finishReason.unified, "stop");
      assert.equal(finish?.usage.inputTokens.total, 11);
      assert.equal(finish?.usage.outputTokens.total, 5);
      const { retries, firstTokenMs } = finish!.providerMetadata!.llmspell!;
      assert.equal(retries, 0);
      assert(typeof firstTokenMs === "number" && firstTokenMs >= 0);
    },
  },
  {
    name: "sends settings and conversation in the vendor's own fields",
    async run(target) {
      const { vendor, server } = target;
      server.script({ answer: { text: "ok" } });
      const { error } = await streamed(target, {
        prompt: [
          { role: "system", content: "Be brief." },
          user("Hello"),
          { role: "assistant", content: [{ type: "text", text: "Hi" }] },
          user("And now?"),
        ],
        temperature: 0.5,
        maxOutputTokens: 64,
        ...(vendor.lacks.includes("stop") ? {} : { stopSequences: ["END"] }),
        ...(vendor.lacks.includes("seed") ? {} : { seed: 7 }),
        ...(vendor.lacks.includes("topK") ? {} : { topK: 20 }),
      });
      assert.equal(error?.message, undefined);
      const sent = JSON.stringify(server.seen[0]!.body);
      for (const value of ["Be brief.", "Hi", "And now?", "0.5", "64"]) assert(sent.includes(value), value);
      if (!vendor.lacks.includes("stop")) assert(sent.includes("END"));
      if (!vendor.lacks.includes("seed")) assert(/"\w*seed":7\b/.test(sent), sent);
    },
  },
  {
    name: "sends images",
    needs: ["images"],
    async run(target) {
      target.server.script({ answer: { text: "A red dot" } });
      const { text, error } = await streamed(target, {
        prompt: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is it?" },
              { type: "file", mediaType: "image/png", data: { type: "data", data: PNG } },
            ],
          },
        ],
      });
      assert.equal(error?.message, undefined);
      assert.equal(text, "A red dot");
      assert(JSON.stringify(target.server.seen[0]!.body).includes(PNG));
    },
  },
  {
    name: "calls tools, several at once, and reads their results",
    needs: ["tools"],
    async run(target) {
      const { vendor, server } = target;
      const args = ['{"place":"Zürich 🏔"}', '{"place":"Oslo"}'];
      const toolCalls = args.map((text, i) => ({ id: vendor.callIds[i]!, name: TOOL.name, args: text }));
      server.script({ answer: { toolCalls }, pieceBytes: 2 }, { answer: { text: "Cold." } });
      const options: LanguageModelV4CallOptions = { ...HELLO, tools: [TOOL], toolChoice: { type: "auto" } };
      const first = await streamed(target, options);
      assert.equal(first.error?.message, undefined);
      const calls = first.parts.filter((part) => part.type === "tool-call");
      assert.deepEqual(
        calls.map(({ toolName, input }) => [toolName, JSON.parse(input)]),
        args.map((text) => [TOOL.name, JSON.parse(text)]),
      );
      assert.equal(new Set(calls.map(({ toolCallId }) => toolCallId)).size, 2);
      assert.equal(first.finish?.finishReason.unified, "tool-calls");
      const second = await streamed(target, {
        ...options,
        prompt: [
          ...HELLO.prompt,
          {
            role: "assistant",
            content: calls.map(({ toolCallId, toolName, input, providerMetadata }) => ({
              type: "tool-call",
              toolCallId,
              toolName,
              input: JSON.parse(input),
              ...(providerMetadata === undefined ? {} : { providerOptions: providerMetadata }),
            })),
          },
          {
            role: "tool",
            content: calls.map(({ toolCallId, toolName }, i) => ({
              type: "tool-result",
              toolCallId,
              toolName,
              output:
                i === 0 ? { type: "text", value: "-3 °C" } : { type: "error-text", value: "no station" },
            })),
          },
        ],
        toolChoice: { type: "none" },
      });
      assert.equal(second.error?.message, undefined);
      assert.equal(second.text, "Cold.");
      const sent = JSON.stringify(server.seen[1]!.body);
      assert(sent.includes("-3 °C") && sent.includes("no station"));
    },
  },
  {
    name: "keeps thoughts apart from the text, and hands them back as agents do, signed as they were",
    needs: ["tools", "reasoning"],
    async run(target) {
      const { vendor, server } = target;
      const call = { id: vendor.callIds[0], name: TOOL.name, args: '{"place":"Oslo"}' };
      server.script(
        { answer: { reasoning: "Hm, 漢字: where?", text: "Let me see.", toolCalls: [call] } },
        { answer: { text: "Cold." } },
      );
      const model = await target.open();
      const heard: Record<string, string> = { text: "", reasoning: "" };
      const ask = (options: LanguageModelV4CallOptions) =>
        callModel(model, { ...options, tools: [TOOL] }, new AbortController().signal, async (event) => {
          if (event.type === "text" || event.type === "reasoning") heard[event.type] += event.text;
        });
      const answer = await ask(HELLO);
      assert.deepEqual(heard, { text: "Let me see.", reasoning: "Hm, 漢字: where?" });
      assert.equal(answer.text, "Let me see.");
      const [{ toolCallId, toolName } = { toolCallId: "", toolName: "" }] = answer.toolCalls;
      const output = { type: "text" as const, value: "-3" };
      const again = await ask({
        prompt: [
          ...HELLO.prompt,
          assistantMessage(answer, [{ place: "Oslo" }])!,
          { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] },
        ],
      });
      assert.equal(again.text, "Cold.");
      const sent = JSON.stringify(server.seen[1]!.body);
      if (["anthropic", "gemini"].includes(vendor.type)) assert(sent.includes(SIGNATURE), sent);
    },
  },
  {
    name: "takes over a conversation with the tool calls of another vendor",
    needs: ["tools"],
    async run(target) {
      target.server.script({ answer: { text: "Cold." } });
      const call = { toolCallId: "call_9FsTOPmXu3zLGqtqqsFKvQHZ", toolName: TOOL.name };
      const { text, error } = await streamed(target, {
        tools: [TOOL],
        prompt: [
          ...HELLO.prompt,
          { role: "assistant", content: [{ type: "tool-call", ...call, input: { place: "Oslo" } }] },
          {
            role: "tool",
            content: [{ type: "tool-result", ...call, output: { type: "text", value: "-3" } }],
          },
        ],
      });
      assert.equal(error?.message, undefined);
      assert.equal(text, "Cold.");
    },
  },
  {
    name: "calls a tool in an answer of one piece",
    needs: ["tools"],
    async run({ vendor, server, open }) {
      const args = '{"place":"Oslo"}';
      server.script({ answer: { toolCalls: [{ id: vendor.callIds[0], name: TOOL.name, args }] } });
      const { content, finishReason } = await (await open()).doGenerate({ ...HELLO, tools: [TOOL] });
      const calls = content.filter((part) => part.type === "tool-call");
      assert.deepEqual(
        calls.map(({ toolName, input }) => [toolName, JSON.parse(input)]),
        [[TOOL.name, { place: "Oslo" }]],
      );
      assert.equal(finishReason.unified, "tool-calls");
    },
  },
  {
    name: "sends the schema of an answer natively",
    async run(target) {
      const { vendor, server } = target;
      server.script({ answer: { text: '{"name":"Ada","age":36}' } });
      const { text, error } = await streamed(target, {
        ...HELLO,
        responseFormat: { type: "json", schema: SCHEMA },
      });
      assert.equal(error?.message, undefined);
      assert.equal(text, '{"name":"Ada","age":36}');
      const sent = vendor.schemaIn(server.seen[0]!.body as never) as { properties?: object } | undefined;
      assert.deepEqual(Object.keys(sent?.properties ?? {}), ["name", "age"]);
    },
  },
  {
    name: "sends a schema that strict modes refuse, not strictly",
    async run(target) {
      target.server.script({ answer: { text: "{}" } });
      const schema = { type: "object" as const, properties: { name: { type: "string" as const } } };
      const { error } = await streamed(target, { ...HELLO, responseFormat: { type: "json", schema } });
      assert.equal(error?.message, undefined);
    },
  },
  {
    name: "reads tokens that the vendor had cached",
    needs: ["cached"],
    async run(target) {
      target.server.script({ answer: { text: "ok", input: 40, cached: 32 } });
      const { finish } = await streamed(target);
      assert.equal(finish?.usage.inputTokens.total, 40);
      assert.equal(finish?.usage.inputTokens.cacheRead, 32);
    },
  },
  {
    name: "tells an answer that reached its limit",
    async run(target) {
      target.server.script({ answer: { text: "Half an", finish: "length" } });
      assert.equal((await streamed(target)).finish?.finishReason.unified, "length");
    },
  },
  {
    name: "fails an answer that the content filter withholds",
    needs: ["filter"],
    async run(target) {
      target.server.script({ answer: { finish: "filter" } });
      const error = await failed(target);
      assert.equal(error.code, "provider");
      assert.match(error.message, /withholds its answer/);
      assert.match(error.hint!, /content filter/);
      assert.equal(target.server.seen.length, 1);
    },
  },
  {
    name: "fails an empty answer",
    async run(target) {
      target.server.script({ answer: {} });
      assert.match((await failed(target)).message, /its answer is empty/);
    },
  },
  {
    name: "tells a refusal in the vendor's words, once and without the key",
    async run(target) {
      for (const [status, hint] of [
        [400, /what is asked/],
        [401, /Check the API key/],
        [403, /Check the API key/],
        [404, /model's name/],
      ] as const) {
        target.server.script({ status, message: `No: ${KEY} for ${status}` });
        const error = await failed(target);
        assert.equal(error.code, "provider");
        assert.equal(error.data.statusCode, status);
        assert.match(error.hint!, hint);
        assert.match(
          error.message,
          new RegExp(`^Cannot call model ${target.vendor.type}/.*\\(HTTP ${status}\\)$`, "s"),
        );
        if (target.vendor.type !== "mistral" || status !== 401)
          assert(error.message.includes("No: <REDACTED> for"));
        assert.equal(target.server.seen.length, 1, `status ${status} must not be repeated`);
      }
    },
  },
  {
    name: "repeats what may pass, and says how often",
    async run(target) {
      for (const status of [408, 429, 500, 502, 503, 529]) {
        target.server.script({ status }, { status, html: true }, { answer: { text: "at last" } });
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, "at last");
        assert.equal(finish?.providerMetadata?.llmspell?.retries, 2);
      }
    },
  },
  {
    name: "gives up after max_retries",
    async run(target) {
      target.server.script({ status: 503, message: "try later" });
      const error = await failed(target, HELLO, { maxRetries: 1 });
      assert.equal(error.data.statusCode, 503);
      assert.match(error.message, /try later/);
      assert.match(error.hint!, /fallback/);
      assert.equal(target.server.seen.length, 2);
    },
  },
  {
    name: "heeds Retry-After, in seconds and as a date",
    isSlow: true,
    async run(target) {
      for (const [header, leastMs] of [
        [() => "1", 1000],
        // a date has whole seconds
        [() => new Date(Date.now() + 2000).toUTCString(), 950],
      ] as const) {
        const headers = { "retry-after": header() };
        target.server.script({ status: 429, headers }, { answer: { text: "ok" } });
        assert.equal((await streamed(target)).text, "ok");
        const [first, second] = target.server.seen;
        assert(second!.atMs - first!.atMs >= leastMs - 5, `waited ${second!.atMs - first!.atMs} ms`);
      }
    },
  },
  {
    name: "fails at once where Retry-After is absurd",
    async run(target) {
      target.server.script({ status: 429, headers: { "retry-after": "86400" } });
      const error = await failed(target);
      assert.match(error.hint!, /asks to wait 86400 s/);
      assert.equal(error.data.retryAfterSeconds, 86_400);
      assert.equal(target.server.seen.length, 1);
    },
  },
  {
    name: "knows a web page where an answer should be",
    async run(target) {
      target.server.script({ status: 200, html: true, message: "Sign in" });
      const error = await failed(target);
      assert.match(error.message, /its answer is a web page \(text\/html\)/);
      assert.match(error.hint!, /proxy/);
      target.server.script({ status: 401, html: true, message: "Sign in" });
      assert.match((await failed(target)).message, /answers with a web page.*\(HTTP 401\)/);
      target.server.script({ status: 200, html: true });
      const model = await target.open();
      await assert.rejects(async () => model.doGenerate(HELLO), /its answer is a web page/);
    },
  },
  {
    name: "knows an error that comes with status 200",
    async run(target) {
      const body = JSON.stringify({ error: { message: "No such model", type: "invalid_request_error" } });
      target.server.script({ status: 200, body });
      assert.match((await failed(target)).message, /No such model/);
      const model = await target.open();
      await assert.rejects(async () => model.doGenerate(HELLO), /No such model/);
    },
  },
  ...odd.map(
    ([how, delivery]): ProviderCase => ({
      name: `reads events ${how}`,
      async run(target) {
        target.server.script({ answer: { text: TEXT, input: 11 }, ...delivery });
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, TEXT);
        assert.equal(finish?.usage.inputTokens.total, 11);
      },
    }),
  ),
  {
    name: "fails an answer that breaks off, wherever that is, and does not repeat it",
    async run(target) {
      // inside the text, which has letters of two, three and four bytes
      for (const bytes of [0.35, 0.45, 0.5, 0.55]) {
        for (const how of ["clean", "cut"] as const) {
          const events = target.vendor.format.events(
            { text: TEXT.repeat(4) },
            { path: "", headers: {}, body: { model: target.vendor.modelId, stream: true } },
          );
          const length = new TextEncoder().encode(plainly(events)).length;
          for (const more of [0, 1, 2, 3, 7]) {
            target.server.script({
              answer: { text: TEXT.repeat(4) },
              endAfter: { bytes: Math.floor(length * bytes) + more, how },
              pieceBytes: 64,
            });
            const { error, text } = await streamed(target);
            assert.match(error?.message ?? "", /broke off/, `${how} after ${bytes}: ${error?.message}`);
            assert(TEXT.repeat(4).startsWith(text));
            // a connection that is cut may take with it what was not read yet: an attempt that said nothing is repeated
            if (how === "clean") assert.equal(target.server.seen.length, 1);
          }
        }
      }
    },
  },
  {
    name: "fails an answer that breaks off within a tool call",
    needs: ["tools"],
    async run(target) {
      const { vendor, server } = target;
      const toolCalls = [{ id: vendor.callIds[0], name: TOOL.name, args: `{"place":"${"O".repeat(400)}"}` }];
      const events = vendor.format.events(
        { toolCalls },
        { path: "", headers: {}, body: { model: vendor.modelId, stream: true } },
      );
      const length = new TextEncoder().encode(plainly(events)).length;
      for (const share of [0.4, 0.6]) {
        server.script({
          answer: { toolCalls },
          endAfter: { bytes: Math.floor(length * share), how: "clean" },
        });
        const error = await failed(target, { ...HELLO, tools: [TOOL] }, { maxRetries: 0 });
        assert.match(error.message, /broke off|ended before it began/);
      }
    },
  },
  {
    name: "repeats a stream that ends before its first event",
    async run(target) {
      for (const how of ["clean", "cut"] as const) {
        target.server.script(
          { answer: { text: "never" }, endAfter: { bytes: 3, how } },
          { answer: { text: "there" } },
        );
        const { text, finish, error } = await streamed(target);
        assert.equal(error?.message, undefined);
        assert.equal(text, "there");
        assert.equal(finish?.providerMetadata?.llmspell?.retries, 1);
      }
    },
  },
  {
    name: "tells an error that comes within a stream",
    async run(target) {
      target.server.script({
        answer: { text: TEXT },
        errorAfter: { events: 3, message: `Overloaded ${KEY}` },
      });
      const error = await failed(target);
      assert.equal(error.code, "provider");
      assert.match(error.message, /Overloaded <REDACTED>/);
      assert.equal(target.server.seen.length, 1);
    },
  },
  {
    name: "stops when the call is given up, and lets go of the connection",
    async run(target) {
      const { server } = target;
      server.script({ answer: { text: TEXT.repeat(20) }, gapMs: 20 });
      const before = server.abandoned;
      const giveUp = new AbortController();
      const model = await target.open();
      const { stream } = await model.doStream({ ...HELLO, abortSignal: giveUp.signal });
      const parts: Part[] = [];
      for await (const part of stream) {
        parts.push(part);
        if (part.type === "text-delta") giveUp.abort(new SpellError("interrupted", "enough"));
      }
      const last = parts.at(-1)!;
      assert(last.type === "error" && (last.error as SpellError).message === "enough", JSON.stringify(last));
      for (let i = 0; i < 1000 && server.abandoned === before; i++) await Bun.sleep(10);
      assert.equal(server.abandoned, before + 1);
    },
  },
  {
    name: "lets go of the connection when nobody reads on",
    async run(target) {
      const { server } = target;
      server.script({ answer: { text: TEXT.repeat(20) }, gapMs: 20 });
      const before = server.abandoned;
      const { stream } = await (await target.open()).doStream(HELLO);
      for await (const part of stream) if (part.type === "text-delta") break;
      for (let i = 0; i < 1000 && server.abandoned === before; i++) await Bun.sleep(10);
      assert.equal(server.abandoned, before + 1);
    },
  },
  {
    name: "makes vectors of texts",
    needs: ["embeddings"],
    async run({ vendor, server, models }) {
      server.script();
      const model = await models.resolveEmbedding(`${vendor.type}/${vendor.embeddingModel}`);
      const { embeddings } = await model.doEmbed({ values: ["red", "Blue!"] });
      assert.deepEqual(embeddings, [
        [3, 114, 0.5],
        [5, 66, 0.5],
      ]);
    },
  },
];
