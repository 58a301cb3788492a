/** `agent:invokeStream`: a turn whose pieces go to a script function as they come. */

import type { Agent, AgentEvent, AgentInput } from "../../agents/service.ts";
import { nowMs, randomId } from "../../core/clock.ts";
import { errorToJson, SpellError } from "../../core/errors.ts";
import type { ScriptFunction, ScriptValue } from "../../core/values.ts";
import type { RunContext } from "../../kernel/services.ts";
import type { Table } from "./fields.ts";

/**
 * The function gets one table for each piece and is waited for, so a slow one slows the model down and loses nothing.
 * When the turn fails, the last chunk's text is `Error: ...` and the result is `{success=false, error, chunks_received}`;
 * what the function itself raises, and an interrupt, are raised.
 */
export async function streamTurn(
  agent: Agent,
  input: AgentInput,
  run: RunContext,
  fn: ScriptFunction,
): Promise<Table> {
  const streamId = randomId();
  let count = 0;
  let raised: { error: unknown } | undefined;
  const deliver = async (piece: Table, metadata: Table) => {
    const words = piece.text ?? "";
    const chunk: Table = {
      stream_id: streamId,
      chunk_index: count,
      ...piece,
      text: words,
      content: words,
      metadata: {
        is_final: false,
        ...(agent.model === undefined ? {} : { model: agent.model.modelId }),
        ...metadata,
      },
      timestamp: Math.floor(nowMs() / 1000),
    };
    count++;
    try {
      await fn.call(chunk);
    } catch (error) {
      raised = { error };
      throw error;
    }
  };
  let delivery = Promise.resolve();
  const send = (piece: Table, metadata: Table = {}) => {
    delivery = deliver(piece, metadata);
    return delivery;
  };
  try {
    const { parsed } = await agent.execute(input, run, (event) => sendEvent(event, send));
    const value = parsed === undefined ? {} : { parsed: parsed.value as ScriptValue };
    return { success: true, chunks_received: count, ...value };
  } catch (error) {
    // A turn may end while the function is still busy with a piece; it gets the last one after that.
    await Promise.allSettled([delivery]);
    if (raised !== undefined) throw raised.error;
    if (run.signal.aborted || (error instanceof SpellError && error.code === "interrupted")) throw error;
    const { message } = errorToJson(error);
    await send({ type: "error", text: `Error: ${message}` }, { is_final: true });
    return { success: false, error: message, chunks_received: count };
  } finally {
    fn.release();
  }
}

type Send = (piece: Table, metadata?: Table) => Promise<void>;

async function sendEvent(event: AgentEvent, send: Send): Promise<void> {
  switch (event.type) {
    case "text":
      return send({ type: "text", text: event.text });
    case "reasoning":
      return send({ type: "reasoning", reasoning: event.text }, { reasoning_step: event.text });
    case "tool-input":
      return send({
        type: "tool_call_progress",
        tool_call: { call_id: event.callId, tool_name: event.toolName, partial_args: event.partialArgs },
      });
    case "tool-end":
      return send({
        type: "tool_call_complete",
        tool_call: {
          call_id: event.callId,
          tool_name: event.toolName,
          success: event.success,
          output: event.output,
        },
      });
    case "end":
      return send(
        { type: "control", control: "StreamEnd" },
        {
          is_final: true,
          token_count: event.output.usage.totalTokens,
          finish_reason: event.output.finishReason,
        },
      );
    case "tool-start": // its end says the same and more
    case "error": // told after the turn, where the function's own errors are known
  }
}
