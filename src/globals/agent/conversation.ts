/** Methods of an agent that make it answer. */
import { Type } from "typebox";
import type { CompactOptions } from "../../agents/compaction.ts";
import { messageText } from "../../agents/conversation.ts";
import type { Agent } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import { isScriptFunction, type ScriptFunction } from "../../core/values.ts";
import { describeValue } from "../check.ts";
import { AnyTable, AnyValue, type FunctionDecl, methodsOf, optional, param } from "../declare.ts";
import { flag, integer, present, type Table, table, text } from "./fields.ts";
import { agentInput } from "./input.ts";
import { outputTable } from "./output.ts";
import { streamTurn } from "./stream.ts";

const { wait } = methodsOf<Agent>();

const Input = param(
  "input",
  AnyValue,
  "A string, or `{text, parameters?, image?, media?, temperature?, max_tokens?, schema?, grammar?, response_format?}`; `prompt` and `input` stand for `text`",
);

export const conversationMethods: Record<string, FunctionDecl> = {
  execute: wait({
    doc: "One turn: the agent answers, calling its tools as it needs. Raises when the turn fails; the conversation is then as it was before.",
    params: [Input],
    returns:
      "{text, success, result, parsed?, tool_calls, usage = {prompt_tokens, completion_tokens, total_tokens}, execution_time_ms, metadata = {model, provider, token_count, execution_time_ms, finish_reason}}",
    aliases: ["invoke"],
    handler: async (ctx, input) => outputTable(await ctx.self.execute(agentInput(input), ctx.run)),
  }),
  complete: wait({
    doc: "One turn that yields the answer as a string.",
    params: [param("text", Type.String(), "What the agent is asked")],
    returns: "string",
    handler: async (ctx, text) => (await ctx.self.execute({ text }, ctx.run)).text,
  }),
  invokeStream: wait({
    doc: "One turn whose pieces are handed to a function as they come. A failed turn yields a last chunk whose text starts with `Error:` and `success = false`; errors of the function itself are raised.",
    params: [
      Input,
      param("callback", AnyValue, "`function(chunk)`, or a table of options for the input before it"),
      optional("last", AnyValue, "The function, when options come before it"),
    ],
    returns: "{success, chunks_received, parsed?, error?}",
    aliases: ["invoke_stream"],
    handler: (ctx, input, second, third) => {
      const options: Table = third === undefined || third === null ? {} : (table(second) ?? {});
      const given = table(input) ?? { text: input };
      return streamTurn(ctx.self, agentInput({ ...options, ...given }), ctx.run, callback(third ?? second));
    },
  }),
  compact: wait({
    doc: "Has the model sum up the older turns of the agent's conversation; the summary then takes their place in what is sent. The turns themselves stay: `get_conversation{original = true}` has them, `expand_conversation` puts them back. Raises when the summary is cut off or empty; nothing is changed then.",
    params: [
      optional(
        "options",
        AnyTable,
        "`{keep = 2, prompt?, max_tokens?}`; `keep`: newest turns that stay as they are",
      ),
    ],
    returns:
      "{summary?, compacted_turns, messages_before, messages_after}; no summary where there is nothing to sum up",
    handler: async (ctx, given = {}) => {
      const done = await ctx.self.compact(compactOptions(given), ctx.run);
      return present<Table>({
        summary: done.summary,
        compacted_turns: done.compactedTurns,
        messages_before: done.messagesBefore,
        messages_after: done.messagesAfter,
      });
    },
  }),
  expand_conversation: wait({
    doc: "Puts the turns that a summary stands for back in its place.",
    params: [],
    returns: "boolean; false where nothing was compacted",
    handler: (ctx) => ctx.self.expand(),
  }),
  get_conversation: wait({
    doc: "The messages of the agent's conversation, oldest first: what is sent with the next turn, or with `original` what was said.",
    params: [optional("options", AnyTable, "`{original = false}`")],
    returns: "{{role, content}, ...}; `content` is the text",
    handler: (ctx, given = {}) => {
      const sent = () => (ctx.self.conversations()[""]?.turns ?? []).flat();
      return (flag(given.original) ? ctx.self.history() : sent()).map((message) => ({
        role: message.role,
        content: messageText(message),
      }));
    },
  }),
  execute_with_context: wait({
    doc: "One turn in an execution context: its data is given to the agent, and turns with one conversation id share a conversation of their own.",
    params: [Input, param("context_id", Type.String(), "What `Agent.create_context` returned")],
    returns: "as `execute`",
    handler: async (ctx, input, contextId) => {
      const agents = await ctx.services.agents();
      const context = agents.contexts.forAgent(contextId);
      return outputTable(await ctx.self.execute({ ...agentInput(input), context }, ctx.run));
    },
  }),
};

function callback(value: unknown): ScriptFunction {
  if (isScriptFunction(value)) return value;
  throw new SpellError(
    "invalid_argument",
    'Cannot call AgentObject:invokeStream: "callback" must be a function',
    {
      hint: "agent:invokeStream({text = ...}, function(chunk) io.write(chunk.text) end)",
    },
  );
}

function compactOptions(given: Table): CompactOptions {
  const keepTurns = integer(given.keep);
  if (given.keep !== undefined && (keepTurns === undefined || keepTurns < 0))
    throw new SpellError(
      "invalid_argument",
      `Cannot compact the conversation: "keep" must be a whole number, at least 0: ${describeValue(given.keep)}`,
    );
  return present<CompactOptions>({
    keepTurns,
    prompt: text(given.prompt),
    maxTokens: integer(given.max_tokens),
  });
}
