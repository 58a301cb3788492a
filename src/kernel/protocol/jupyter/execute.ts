/** `execute_request`: a cell, its user expressions, what waits behind one that fails, and the history. */
import type { ErrorJson } from "../../../core/errors.ts";
import type { ExecuteReply, ExecuteRequest, KernelReply } from "../../api.ts";
import { ExecuteContent } from "./contents.ts";
import { errorFields } from "./display.ts";
import { ExecutionOutput, shownValue } from "./execution.ts";
import { type Fields, readContent } from "./message.ts";
import type { Exchange } from "./requests.ts";

export async function executeRequest(exchange: Exchange): Promise<Fields> {
  const { message, publish } = exchange;
  const content = readContent(ExecuteContent, message.content);
  const client = exchange.client();
  const { code, silent } = content;
  const output = new ExecutionOutput(publish, message.metadata.llmspell === true);
  const givenUp = new AbortController();
  let count: number | undefined;
  client.waiting.add(givenUp);
  const reply = await client.request(cell(code), {
    id: message.header.msg_id,
    silent,
    signal: givenUp.signal,
    onStart: (executionCount) => {
      count = executionCount;
      client.waiting.delete(givenUp);
      exchange.busy();
      if (!silent) output.started(code, executionCount);
    },
    onEvent: (event) => output.event(event),
    ...(content.allow_stdin ? { onInput: (prompt: string) => exchange.ask(prompt) } : {}),
  });
  client.waiting.delete(givenUp);
  if (count === undefined && givenUp.signal.aborted)
    return { status: "aborted", execution_count: exchange.hub.status().executionCount };
  const line = count ?? exchange.hub.status().executionCount;
  const answer = output.ended(reply, line, silent);
  if (reply.status === "error" && content.stop_on_error)
    for (const other of client.waiting) other.abort(new Error("a cell before it failed"));
  if (count !== undefined && !silent && content.store_history) {
    const value = reply.status === "ok" ? (reply as ExecuteReply).value : null;
    const shown = value === null ? null : String(shownValue(value)["text/plain"]);
    (await exchange.history()).add(count, code, shown);
  }
  if (answer.status === "ok")
    answer.user_expressions = await userExpressions(exchange, content.user_expressions);
  return answer;
}

function cell(code: string): ExecuteRequest {
  return {
    type: "execute",
    code,
    name: "cell",
    args: { script: "cell", positional: [], named: {} },
    language: "lua",
    stream: true,
    interactive: true,
  };
}

/** Each is evaluated alone after the cell: a failing one is told in its place. */
async function userExpressions(exchange: Exchange, expressions: Record<string, string>): Promise<Fields> {
  const values: Fields = {};
  for (const [name, expression] of Object.entries(expressions)) {
    const reply = await exchange.client().request(cell(expression), { silent: true });
    values[name] = expressionValue(reply);
  }
  return values;
}

function expressionValue(reply: KernelReply): Fields {
  if (reply.status === "error")
    return { status: "error", ...errorFields((reply as { error: ErrorJson }).error) };
  return { status: "ok", data: shownValue((reply as ExecuteReply).value), metadata: {} };
}
