import assert from "node:assert/strict";
import type OpenAI from "openai";
import { CALCULATOR, CLOCK, calculatorInput, GREEDY, type Scenario, type Target, user } from "./scenario.ts";

const SUM = [user("What is 15 + 27?")];

async function answerOf(
  { client, chatModel }: Target,
  more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {},
) {
  const { choices } = await client.chat.completions.create({
    model: chatModel,
    messages: SUM,
    tools: [CALCULATOR],
    ...GREEDY,
    ...more,
  });
  return choices[0]!;
}

const callsOf = ({ message }: OpenAI.ChatCompletion.Choice) =>
  (message.tool_calls ?? []).map((call) => {
    assert(call.type === "function");
    assert.notEqual(call.id, "");
    return call;
  });

export const toolScenarios: readonly Scenario[] = [
  {
    name: "tools: the model calls one when it needs it",
    async run(target) {
      const choice = await answerOf(target);
      assert.equal(choice.finish_reason, "tool_calls");
      assert.match(calculatorInput(callsOf(choice)[0]), /15\s*\+\s*27/);
    },
  },
  {
    name: "tools: the result goes back and the answer follows",
    async run(target) {
      const { message } = await answerOf(target);
      const [call] = callsOf({ message } as OpenAI.ChatCompletion.Choice);
      const messages = [
        ...SUM,
        message,
        { role: "tool" as const, tool_call_id: call!.id, content: '{"result": 42}' },
      ];
      const choice = await answerOf(target, { messages });
      assert.equal(choice.finish_reason, "stop");
      assert.match(choice.message.content ?? "", /42/);
    },
  },
  {
    name: "tools: the client's own loop runs to the answer",
    async run({ client, chatModel }) {
      const inputs: string[] = [];
      const runner = client.chat.completions.runTools({
        model: chatModel,
        messages: SUM,
        tools: [
          {
            type: "function",
            function: {
              name: "calculator",
              description: "Evaluates arithmetic expressions",
              parameters: CALCULATOR.function.parameters as object,
              parse: JSON.parse,
              function: ({ input }: { input: string }) => {
                inputs.push(input);
                return '{"result": 42}';
              },
            },
          },
        ],
        ...GREEDY,
      });
      assert.match((await runner.finalContent()) ?? "", /42/);
      assert.equal(inputs.length, 1);
    },
  },
  {
    name: "tools: none of them with tool_choice none",
    async run(target) {
      const choice = await answerOf(target, { tool_choice: "none", max_tokens: 40 });
      assert.deepEqual(callsOf(choice), []);
      assert.notEqual(choice.finish_reason, "tool_calls");
    },
  },
  {
    name: "tools: one of them with tool_choice required",
    async run(target) {
      const choice = await answerOf(target, { tool_choice: "required", tools: [CALCULATOR, CLOCK] });
      assert(callsOf(choice).length > 0);
      for (const call of callsOf(choice)) assert(["calculator", "clock"].includes(call.function.name));
    },
  },
  {
    name: "tools: the named one with tool_choice",
    async run(target) {
      const choice = await answerOf(target, {
        tools: [CLOCK, CALCULATOR],
        tool_choice: { type: "function", function: { name: "calculator" } },
      });
      calculatorInput(callsOf(choice)[0]);
    },
  },
  {
    name: "tools: at most one call with parallel_tool_calls false",
    async run(target) {
      const choice = await answerOf(target, { parallel_tool_calls: false });
      assert.equal(callsOf(choice).length, 1);
    },
  },
  {
    name: "tools: a call comes in pieces, name and id first",
    async run(target) {
      const { client, chatModel } = target;
      const whole = callsOf(await answerOf(target))[0]!;
      const stream = await client.chat.completions.create({
        model: chatModel,
        messages: SUM,
        tools: [CALCULATOR],
        stream: true,
        ...GREEDY,
      });
      const calls: { id: string; name: string; arguments: string }[] = [];
      let reason: string | null | undefined;
      for await (const { choices } of stream) {
        reason = choices[0]?.finish_reason ?? reason;
        for (const delta of choices[0]?.delta.tool_calls ?? []) {
          const { id, function: part } = delta;
          calls[delta.index] ??= { id: id!, name: part!.name!, arguments: "" };
          calls[delta.index]!.arguments += part?.arguments ?? "";
        }
      }
      assert.equal(reason, "tool_calls");
      assert.equal(calls.length, 1);
      assert.equal(calls[0]!.name, whole.function.name);
      assert.deepEqual(JSON.parse(calls[0]!.arguments), JSON.parse(whole.function.arguments));
      assert.notEqual(calls[0]!.id, "");
    },
  },
];
