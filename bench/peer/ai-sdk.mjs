// The AI SDK's own loop around a model that answers at once: `bun ai-sdk.mjs DIRECTORY KIND WORDS` prints microseconds.
import { createRequire } from "node:module";
import { join } from "node:path";

const [directory, kind, words] = process.argv.slice(2);
const require = createRequire(join(directory, "package.json"));
const { generateText, jsonSchema, stepCountIs, streamText, tool, ToolLoopAgent } = await import(require.resolve("ai"));

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const finish = (unified) => ({ finishReason: { unified, raw: unified }, usage, warnings: [] });
const call = { type: "tool-call", toolCallId: "1", toolName: "calculator", input: '{"input":"1+1"}' };
const model = {
  specificationVersion: "v4",
  provider: "mock",
  modelId: "mock",
  supportedUrls: {},
  async doGenerate({ prompt }) {
    if (kind === "turn_tool" && prompt.at(-1).role === "user") return { content: [call], ...finish("tool-calls") };
    return { content: [{ type: "text", text: "Hello." }], ...finish("stop") };
  },
  async doStream() {
    let sent = 0;
    return {
      stream: new ReadableStream({
        start: (c) => {
          c.enqueue({ type: "stream-start", warnings: [] });
          c.enqueue({ type: "text-start", id: "0" });
        },
        pull: (c) => {
          if (sent++ < Number(words)) return c.enqueue({ type: "text-delta", id: "0", delta: "word " });
          c.enqueue({ type: "text-end", id: "0" });
          c.enqueue({ type: "finish", ...finish("stop") });
          c.close();
        },
      }),
    };
  },
};
const calculator = tool({
  description: "Calculates",
  inputSchema: jsonSchema({ type: "object", properties: { input: { type: "string" } } }),
  execute: async () => ({ result: 2 }),
});

let number = 0;
async function once() {
  // an agent with what ours has that is made: a name, a model, no tools
  if (kind === "create") {
    const agent = new ToolLoopAgent({ id: `a${++number}`, model, instructions: "You help." });
    return agent.id === `a${number}` ? 1 : 0;
  }
  if (kind === "stream") {
    let count = 0;
    for await (const _ of streamText({ model, prompt: "long" }).textStream) count++;
    return count;
  }
  const tools = kind === "turn_tool" ? { tools: { calculator }, stopWhen: stepCountIs(3) } : {};
  await generateText({ model, system: "You help.", prompt: "hello", ...tools });
  return 1;
}

const times = [];
for (let batch = 0; batch < (kind === "stream" ? 11 : 21); batch++) {
  const begun = performance.now();
  let count = 0;
  for (let i = 0; i < (kind === "stream" ? 2 : 100); i++) count += await once();
  times.push(((performance.now() - begun) * 1000) / count);
}
times.sort((a, b) => a - b);
console.log(times[times.length >> 1]);
