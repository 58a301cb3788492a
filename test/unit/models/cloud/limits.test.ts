/** How long an answer is waited for: only what a vendor says counts, in whatever format it says it. */
import { afterAll, describe, expect, test } from "bun:test";
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { isContent } from "../../../../src/models/providers/cloud/event-content.ts";
import { failure, modelService, temporaryHome } from "../../../support/model-service.ts";
import { type Delivery, ProviderServer, plainly } from "../../../support/providers/server.ts";
import { KEY, VENDORS, type VendorFacts } from "../../../support/providers/vendors.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const home = stack.use(temporaryHome());
const servers = new Map<VendorFacts, ProviderServer>();
for (const vendor of VENDORS) servers.set(vendor, stack.use(await ProviderServer.start(vendor.format)));
/** Each with limits of one second, and of two. */
const tables = [...servers].flatMap(([{ type, basePath }, { origin }]) =>
  [1, 2].map(
    (seconds) => `[providers.${type}${seconds}]
provider_type = "${type}"
base_url = "${origin}${basePath}"
api_key = "${KEY}"
timeout_seconds = ${seconds}
idle_timeout_seconds = ${seconds}
max_retries = 0`,
  ),
);
const { models } = await modelService(home, tables.join("\n"));

const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }];
const TEXT = "An answer of some length, so that it comes in many pieces";
const TOOL = { type: "function" as const, name: "clock", inputSchema: { type: "object" as const } };

/** Events before the first text: who speaks, what begins, a ping. */
const HEAD_EVENTS: Record<string, number> = { anthropic: 3, cohere: 2, gemini: 0 };
const headEvents = ({ type }: VendorFacts): number => HEAD_EVENTS[type] ?? 1;

type Script = (vendor: VendorFacts) => Delivery & { answer: Parameters<VendorFacts["format"]["events"]>[0] };

/** Asks one vendor. @param slowMs what the reader takes for each part */
async function ask(
  vendor: VendorFacts,
  script: Script,
  { slowMs = 0, limitSeconds = 1 } = {},
): Promise<LanguageModelV4StreamPart[]> {
  servers.get(vendor)!.script(script(vendor));
  const model = await models.resolve(`${vendor.type}${limitSeconds}/${vendor.modelId}`);
  const tools = vendor.lacks.includes("tools") ? {} : { tools: [TOOL] };
  const { stream } = await model.doStream({ prompt: PROMPT, ...tools });
  const parts: LanguageModelV4StreamPart[] = [];
  for await (const part of stream) {
    if (part.type === "error") throw part.error;
    parts.push(part);
    if (part.type === "text-delta" && slowMs > 0) await Bun.sleep(slowMs);
  }
  return parts;
}

/** All of them at once, as each takes seconds. */
const everyone = <T>(one: (vendor: VendorFacts) => Promise<T>, vendors = VENDORS): Promise<[string, T][]> =>
  Promise.all(vendors.map(async (vendor) => [vendor.type, await one(vendor)]));

const textOf = (parts: readonly LanguageModelV4StreamPart[]): string =>
  parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("");

describe.each([
  ["silence", undefined],
  ["slow pings and comments", 150],
])("An answer that stops, with %s,", (_what, pingMs) => {
  const stall = (events: number) => ({ stallAfter: { events, ...(pingMs === undefined ? {} : { pingMs }) } });

  test("after its headers has not begun", async () => {
    const begun = await everyone((vendor) =>
      failure(() => ask(vendor, () => ({ answer: { text: TEXT }, ...stall(0) }))),
    );
    for (const [type, { code, data }] of begun)
      expect([type, code, data.key]).toEqual([type, "timeout", "timeout_seconds"]);
  });

  test("before it says anything has not begun", async () => {
    const begun = await everyone((vendor) =>
      failure(() => ask(vendor, () => ({ answer: { text: TEXT }, ...stall(headEvents(vendor)) }))),
    );
    for (const [type, { code, data, message }] of begun) {
      expect([type, code, data.key]).toEqual([type, "timeout", "timeout_seconds"]);
      expect(message).toContain("no answer began within 1 s");
    }
  });

  test("after its first words is idle", async () => {
    const stopped = await everyone((vendor) =>
      failure(() => ask(vendor, () => ({ answer: { text: TEXT }, ...stall(headEvents(vendor) + 2) }))),
    );
    for (const [type, { code, data, message }] of stopped) {
      expect([type, code, data.key]).toEqual([type, "timeout", "idle_timeout_seconds"]);
      expect(message).toContain("its answer stopped for 1 s");
    }
  });
});

describe("An answer that is slow and goes on", () => {
  test("is waited for, in text", async () => {
    const startMs = performance.now();
    for (const [type, parts] of await everyone((vendor) =>
      ask(vendor, () => ({ answer: { text: TEXT }, gapMs: 150 }), { limitSeconds: 2 }),
    ))
      expect([type, textOf(parts)]).toEqual([type, TEXT]);
    expect(performance.now() - startMs).toBeGreaterThan(2200);
  });

  test("is waited for, in thoughts and pieces of tool calls", async () => {
    const able = VENDORS.filter(({ lacks }) => !lacks.includes("tools"));
    const answers = await everyone(
      (vendor) =>
        ask(
          vendor,
          ({ callIds, lacks }) => ({
            answer: {
              ...(lacks.includes("reasoning") ? {} : { reasoning: "Let me think about it for a while" }),
              toolCalls: [{ id: callIds[0], name: "clock", args: '{"zone":"Europe/Zurich"}' }],
            },
            gapMs: 150,
          }),
          { limitSeconds: 2 },
        ),
      able,
    );
    for (const [type, parts] of answers) {
      const calls = parts.filter((part) => part.type === "tool-call").map(({ input }) => JSON.parse(input));
      expect([type, calls]).toEqual([type, [{ zone: "Europe/Zurich" }]]);
    }
  });

  test("is not cut by a reader that is slower than the limit", async () => {
    const openai = VENDORS.find(({ type }) => type === "openai")!;
    const parts = await ask(openai, () => ({ answer: { text: "one two" }, gapMs: 30 }), { slowMs: 1300 });
    expect(textOf(parts)).toBe("one two");
  });
});

test.each(["openai", "anthropic", "cohere"])(
  "A server that leaves the connection open after the end is not waited for: %s",
  async (type) => {
    const stallAfter = { events: 0 };
    const vendor = VENDORS.find((one) => one.type === type)!;
    const parts = await ask(vendor, () => ({
      answer: { text: TEXT },
      write(events) {
        stallAfter.events = events.length;
        return `${plainly(events)}: a comment that never comes\n\n`;
      },
      stallAfter,
    }));
    expect(textOf(parts)).toBe(TEXT);
    expect(parts.at(-1)?.type).toBe("finish");
  },
);

describe("Content", () => {
  test.each([
    ["a role", { choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] }],
    ["usage alone", { choices: [], usage: { prompt_tokens: 9 } }],
    ["a ping", { type: "ping" }],
    ["a keep-alive of a gateway", { type: "keepalive", sequence_number: 3 }],
    ["the start of a text", { type: "content_block_start", content_block: { type: "text", text: "" } }],
    ["the end of a block", { type: "content_block_stop", index: 0 }],
    [
      "a message that starts",
      { type: "message-start", delta: { message: { role: "assistant", content: [] } } },
    ],
    ["an empty part", { candidates: [{ content: { role: "model", parts: [{ text: "" }] }, index: 0 }] }],
    ["padding", { choices: [{ delta: {} }], obfuscation: "x4Kd9" }],
  ])("is not %s", (_what, event) => expect(isContent(event)).toBe(false));

  test.each([
    ["text", { choices: [{ delta: { content: "H" } }] }],
    ["a refusal in words", { choices: [{ delta: { refusal: "No" } }] }],
    ["thoughts", { choices: [{ delta: { reasoning_content: "Hm" } }] }],
    [
      "the name of a tool",
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { name: "clock" } }] } }] },
    ],
    [
      "a tool that is used",
      { type: "content_block_start", content_block: { type: "tool_use", id: "t", name: "clock" } },
    ],
    ["a signature", { type: "content_block_delta", delta: { type: "signature_delta", signature: "Eq" } }],
    ["a plan", { type: "tool-plan-delta", delta: { message: { tool_plan: "I " } } }],
    ["a call", { candidates: [{ content: { parts: [{ functionCall: { name: "clock" } }] } }] }],
    ["why it ends", { choices: [{ delta: {}, finish_reason: "stop" }] }],
    ["a prompt that is blocked", { promptFeedback: { blockReason: "SAFETY" } }],
  ])("is %s", (_what, event) => expect(isContent(event)).toBe(true));
});
