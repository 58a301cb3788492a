/** `execute_request`: a cell, its user expressions, what waits behind one that fails, and the history. */
import type { Static } from "typebox";
import type { ErrorJson } from "../../../core/errors.ts";
import type { ExecuteReply, ExecuteRequest, KernelReply } from "../../api.ts";
import type { JupyterClient } from "./clients.ts";
import { ExecuteContent } from "./contents.ts";
import { errorFields } from "./display.ts";
import { ExecutionOutput, shownValue } from "./execution.ts";
import { type Fields, readContent } from "./message.ts";
import type { Exchange } from "./requests.ts";

type Content = Static<typeof ExecuteContent>;

export async function executeRequest(exchange: Exchange): Promise<Fields> {
  const content = readContent(ExecuteContent, exchange.message.content);
  const client = exchange.client();
  const before = client.answered;
  const mine = Promise.withResolvers<void>();
  client.answered = mine.promise;
  try {
    const { answer, executed } = await runCell(exchange, client, content);
    await before;
    exchange.reply(answer);
    if (executed !== undefined && !content.silent && content.store_history)
      (await exchange.history()).add(executed.count, content.code, executed.shown);
    return answer;
  } finally {
    mine.resolve();
  }
}

interface Outcome {
  answer: Fields;
  /** Absent where it never began. */
  executed?: { count: number; shown: string | null };
}

async function runCell(exchange: Exchange, client: JupyterClient, content: Content): Promise<Outcome> {
  const { message, publish } = exchange;
  const { code, silent } = content;
  const output = new ExecutionOutput(publish, message.metadata.llmspell === true);
  const givenUp = new AbortController();
  let count: number | undefined;
  client.waiting.add(givenUp);
  exchange.ended = ({ status }) => {
    if (status === "error" && content.stop_on_error)
      for (const other of client.waiting) other.abort(new Error("a cell before it failed"));
  };
  const onInput = (prompt: string) => {
    output.flush();
    return exchange.ask(prompt);
  };
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
    ...(content.allow_stdin ? { onInput, isAttended: () => true } : {}),
  });
  client.waiting.delete(givenUp);
  const line = count ?? exchange.hub.status().executionCount;
  if (count === undefined && givenUp.signal.aborted)
    return { answer: { status: "aborted", execution_count: line } };
  const answer = output.ended(reply, line, silent);
  if (answer.status === "ok")
    answer.user_expressions = await userExpressions(client, content.user_expressions);
  if (count === undefined) return { answer };
  const value = reply.status === "ok" ? (reply as ExecuteReply).value : null;
  return {
    answer,
    executed: { count, shown: value === null ? null : String(shownValue(value)["text/plain"]) },
  };
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
async function userExpressions(client: JupyterClient, expressions: Record<string, string>): Promise<Fields> {
  const values: Fields = {};
  for (const [name, expression] of Object.entries(expressions)) {
    const reply = await client.request(cell(expression), { silent: true });
    values[name] = expressionValue(reply);
  }
  return values;
}

function expressionValue(reply: KernelReply): Fields {
  if (reply.status === "error")
    return { status: "error", ...errorFields((reply as { error: ErrorJson }).error) };
  return { status: "ok", data: shownValue((reply as ExecuteReply).value), metadata: {} };
}
