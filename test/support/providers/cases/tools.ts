/** Calls of tools, and the thoughts that led to them. */
import assert from "node:assert/strict";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { assistantMessage, callModel } from "../../../../src/agents/model-call.ts";
import { SIGNATURE } from "../format.ts";
import { plainly } from "../server.ts";
import { failed, HELLO, type ProviderCase, streamed, TOOL } from "./target.ts";

export const toolCases: readonly ProviderCase[] = [
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
    name: "fails an answer that breaks off inside a letter of a tool call",
    needs: ["tools"],
    async run(target) {
      const { vendor, server } = target;
      const args = JSON.stringify({ place: `Zürich 漢字 🏔 ${"é".repeat(40)}` });
      const toolCalls = [{ id: vendor.callIds[0], name: TOOL.name, args }];
      const events = vendor.format.events(
        { toolCalls },
        { path: "", headers: {}, body: { model: vendor.modelId, stream: true } },
      );
      const bytes = Buffer.from(plainly(events));
      for (const [letter, length] of [
        ["ü", 2],
        ["漢", 3],
        ["🏔", 4],
      ] as const)
        for (let inside = 1; inside < length; inside++)
          for (const how of ["clean", "cut"] as const) {
            const endAfter = { bytes: bytes.indexOf(letter) + inside, how };
            server.script({ answer: { toolCalls }, endAfter });
            const { error, parts } = await streamed(target, { ...HELLO, tools: [TOOL] }, { maxRetries: 0 });
            assert.match(
              error?.message ?? "",
              /broke off|ended before it began/,
              `${letter} ${inside} ${how}`,
            );
            assert(!parts.some(({ type }) => type === "tool-call"), "half a call is none");
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
];
