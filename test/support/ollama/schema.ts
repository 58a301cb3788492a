/** What Ollama's documented requests may hold (docs/api.md, docs/openapi.yaml and docs/capabilities of ollama/ollama). */
type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const whole: Check = (value) => Number.isInteger(value);
const number: Check = (value) => typeof value === "number" && Number.isFinite(value);
const truth: Check = (value) => typeof value === "boolean";
const object: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const either =
  (...checks: Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const base64: Check = (value) => text(value) && /^[A-Za-z0-9+/]+={0,2}$/.test(value as string);

const OPTIONS: Record<string, Check> = {
  num_keep: whole,
  seed: whole,
  num_predict: whole,
  top_k: whole,
  top_p: number,
  min_p: number,
  typical_p: number,
  repeat_last_n: whole,
  temperature: number,
  repeat_penalty: number,
  presence_penalty: number,
  frequency_penalty: number,
  stop: listOf(text),
  num_ctx: whole,
  num_batch: whole,
  num_gpu: whole,
  num_thread: whole,
};

const fields =
  (required: Record<string, Check>, optional: Record<string, Check> = {}): Check =>
  (value) => {
    if (!object(value)) return false;
    const given = value as Record<string, unknown>;
    return (
      Object.entries(required).every(([key, check]) => check(given[key])) &&
      Object.entries(given).every(([key, each]) => (required[key] ?? optional[key])?.(each) === true)
    );
  };

const toolCall = fields(
  { function: fields({ name: text, arguments: object }, { index: whole, description: text }) },
  { id: text, type: (value) => value === "function" },
);
const tool = fields({
  type: (value) => value === "function",
  function: fields({ name: text, parameters: object }, { description: text }),
});
const message = fields(
  { role: (value) => ["system", "user", "assistant", "tool"].includes(value as string), content: text },
  {
    images: listOf(base64),
    tool_calls: listOf(toolCall),
    tool_name: text,
    tool_call_id: text,
    thinking: text,
  },
);
const keepAlive = either(number, (value) => text(value) && /^-?\d+(ms|s|m|h)$/.test(value as string));
const options = fields({}, OPTIONS);

/** By path. `name` is the deprecated spelling of `model`, which the official client still uses. */
export const REQUESTS: Record<string, Check> = {
  "/api/chat": fields(
    { model: text, messages: listOf(message) },
    {
      tools: listOf(tool),
      format: either((value) => value === "json", object),
      options,
      stream: truth,
      think: either(truth, (value) => ["low", "medium", "high"].includes(value as string)),
      keep_alive: keepAlive,
      truncate: truth,
      shift: truth,
    },
  ),
  "/api/embed": fields(
    { model: text, input: either(text, listOf(text)) },
    { truncate: truth, dimensions: whole, options, keep_alive: keepAlive },
  ),
  "/api/show": fields({ model: text }, { verbose: truth }),
  "/api/pull": either(
    fields({ model: text }, { stream: truth, insecure: truth }),
    fields({ name: text }, { stream: truth, insecure: truth }),
  ),
  "/api/delete": either(fields({ model: text }), fields({ name: text })),
};
