/**
 * The vendors' own clients against the loopback servers of test/support/providers: they judge whether these speak as the
 * vendors do. Prints what does not hold as JSON, by name.
 *
 *     bun test/soak/vendor-clients.mjs DIRECTORY      which has the packages in node_modules
 */
import assert from "node:assert/strict";
import { ProviderServer } from "../support/providers/server.ts";
import { KEY, VENDORS } from "../support/providers/vendors.ts";

const directory = process.argv[2];
const load = (name) => import(Bun.resolveSync(name, directory));
const facts = Object.fromEntries(VENDORS.map((vendor) => [vendor.type, vendor]));

const TEXT = "Größe: 漢字 🦜 ok";
const SCHEMA = {
  type: "object",
  properties: { place: { type: "string" } },
  required: ["place"],
  additionalProperties: false,
};
const PLACE = { place: "Oslo" };
const HELLO = [{ role: "user", content: "Hi" }];
const FUNCTION = { name: "get_weather", description: "The weather of a place", parameters: SCHEMA };
const TOOLS = [{ type: "function", function: FUNCTION }];

const broken = {};
let held = 0;

async function check(name, run) {
  try {
    await run();
    held++;
  } catch (error) {
    broken[name] = String(error?.message ?? error).slice(0, 500);
  }
}

/** A vendor's server, and its answers: a text, or a call of the tool. */
async function withServer(type, use) {
  await using server = await ProviderServer.start(facts[type].format);
  const text = (more = {}) => ({ answer: { text: TEXT, input: 12, output: 4, ...more } });
  const id = facts[type].callIds[0] || "call";
  const call = { answer: { toolCalls: [{ id, name: FUNCTION.name, args: JSON.stringify(PLACE) }] } };
  const model = facts[type].modelId;
  const named = (name, run) => check(`${type}: ${name}`, run);
  await use({ server, text, call, model, check: named });
}

const failsWith = (status, call) =>
  assert.rejects(call, (error) => assert.equal(error.status ?? error.statusCode, status) ?? true);

/** @param connect makes a client for an origin and a key */
async function openAILike(type, connect, embeddingModel) {
  await withServer(type, async ({ server, text, call, model, check }) => {
    const { chat, embeddings } = connect(server.origin, KEY);
    const ask = (more = {}) => chat.completions.create({ model, messages: HELLO, ...more });
    await check("chat", async () => {
      server.script(text());
      const { choices, usage } = await ask({ max_tokens: 20, temperature: 0.5 });
      assert.equal(choices[0].message.content, TEXT);
      assert.equal(usage.prompt_tokens, 12);
      assert(["stop", "eos"].includes(choices[0].finish_reason));
    });
    await check("stream", async () => {
      server.script(text());
      let said = "";
      let reason;
      for await (const { choices } of await ask({ stream: true })) {
        said += choices[0]?.delta?.content ?? "";
        reason = choices[0]?.finish_reason ?? reason;
      }
      assert.equal(said, TEXT);
      assert(["stop", "eos"].includes(reason), reason);
    });
    if (!facts[type].lacks.includes("tools"))
      await check("tools", async () => {
        server.script(call, text());
        const made = { id: "", type: "function", function: { name: "", arguments: "" } };
        for await (const { choices } of await ask({ tools: TOOLS, tool_choice: "auto", stream: true })) {
          const delta = choices[0]?.delta?.tool_calls?.[0];
          made.id ||= delta?.id ?? "";
          made.function.name ||= delta?.function?.name ?? "";
          made.function.arguments += delta?.function?.arguments ?? "";
        }
        assert.equal(made.function.name, FUNCTION.name);
        assert.deepEqual(JSON.parse(made.function.arguments), PLACE);
        const said = { role: "assistant", content: null, tool_calls: [made] };
        const result = { role: "tool", tool_call_id: made.id, content: "-3" };
        const { choices } = await ask({ tools: TOOLS, messages: [...HELLO, said, result] });
        assert.equal(choices[0].message.content, TEXT);
      });
    await check("schema", async () => {
      server.script(text());
      const json_schema = { name: "place", strict: true, schema: SCHEMA };
      await ask({ response_format: { type: "json_schema", json_schema } });
    });
    await check("refusals", async () => {
      server.script({ status: 429, message: "slow down" });
      await failsWith(429, () => ask());
      const stranger = connect(server.origin, "wrong");
      await failsWith(401, () => stranger.chat.completions.create({ model, messages: HELLO }));
    });
    if (embeddingModel !== undefined)
      await check("vectors", async () => {
        const input = ["red", "Blue!"];
        const { data } = await embeddings.create({ model: embeddingModel, input, encoding_format: "float" });
        assert.deepEqual(data[1].embedding, [5, 66, 0.5]);
      });
  });
}

const options = (baseURL, apiKey) => ({ baseURL, apiKey, maxRetries: 0 });
const { default: OpenAI } = await load("openai");
const { default: Groq } = await load("groq-sdk");
const { default: Together } = await load("together-ai");
const { default: Perplexity } = await load("@perplexity-ai/perplexity_ai");
await openAILike(
  "openai",
  (origin, key) => new OpenAI(options(`${origin}/v1`, key)),
  facts.openai.embeddingModel,
);
await openAILike("groq", (origin, key) => new Groq(options(origin, key)));
await openAILike("together", (origin, key) => new Together(options(`${origin}/v1`, key)), "BAAI/bge-base-en-v1.5");
await openAILike("perplexity", (origin, key) => new Perplexity(options(origin, key)));

const { default: Anthropic } = await load("@anthropic-ai/sdk");
await withServer("anthropic", async ({ server, text, call, model, check }) => {
  // its newest release sends a newer version and another header of the key than the documented ones of 2023-06-01
  const connect = (apiKey) =>
    new Anthropic({
      ...options(server.origin, apiKey),
      defaultHeaders: { "x-api-key": apiKey, "anthropic-version": "2023-06-01" },
    });
  const { messages } = connect(KEY);
  const request = { model, max_tokens: 64, system: "Be brief.", messages: HELLO };
  await check("chat", async () => {
    server.script(text({ cached: 8 }));
    const { content, stop_reason, usage } = await messages.create(request);
    assert.equal(content[0].text, TEXT);
    assert.equal(stop_reason, "end_turn");
    assert.deepEqual([usage.input_tokens, usage.cache_read_input_tokens], [4, 8]);
  });
  await check("stream and tools", async () => {
    server.script({ answer: { text: TEXT, ...call.answer } }, text());
    const tools = [{ name: FUNCTION.name, description: FUNCTION.description, input_schema: SCHEMA }];
    const { content, stop_reason } = await messages.stream({ ...request, tools }).finalMessage();
    assert.equal(content[0].text, TEXT);
    assert.deepEqual(content[1].input, PLACE);
    assert.equal(stop_reason, "tool_use");
    const result = { type: "tool_result", tool_use_id: content[1].id, content: "-3" };
    const turns = [...HELLO, { role: "assistant", content }, { role: "user", content: [result] }];
    const answer = await messages.create({ ...request, tools, messages: turns });
    assert.equal(answer.content[0].text, TEXT);
  });
  await check("schema", async () => {
    server.script(text());
    await messages.create({ ...request, output_config: { format: { type: "json_schema", schema: SCHEMA } } });
  });
  await check("refusals", async () => {
    server.script({ status: 529, message: "Overloaded" });
    await failsWith(529, () => messages.create(request));
    await failsWith(401, () => connect("wrong").messages.create(request));
    server.script({ ...text(), errorAfter: { events: 4, message: "Overloaded" } });
    await assert.rejects(() => messages.stream(request).finalMessage(), /Overloaded/);
  });
});

const { CohereClientV2 } = await load("cohere-ai");
await withServer("cohere", async ({ server, text, call, model, check }) => {
  const client = new CohereClientV2({ token: KEY, environment: server.origin, maxRetries: 0 });
  await check("chat", async () => {
    server.script(text());
    const { message, finishReason, usage } = await client.chat({ model, messages: HELLO, temperature: 0.3 });
    assert.equal(message.content[0].text, TEXT);
    assert.equal(finishReason, "COMPLETE");
    assert.equal(usage.tokens.inputTokens, 12);
  });
  await check("stream and tools", async () => {
    server.script({ answer: { text: TEXT, ...call.answer } });
    let [said, name, args, end] = ["", "", "", ""];
    for await (const { type, delta } of await client.chatStream({ model, messages: HELLO, tools: TOOLS })) {
      if (type === "content-delta") said += delta.message.content.text;
      if (type === "tool-call-start") name = delta.message.toolCalls.function.name;
      if (type === "tool-call-delta") args += delta.message.toolCalls.function.arguments;
      if (type === "message-end") end = delta.finishReason;
    }
    assert.deepEqual([said, name, JSON.parse(args), end], [TEXT, FUNCTION.name, PLACE, "TOOL_CALL"]);
  });
  await check("schema", async () => {
    server.script(text());
    const responseFormat = { type: "json_object", jsonSchema: SCHEMA };
    await client.chat({ model, messages: HELLO, responseFormat });
  });
  await check("refusals", async () => {
    server.script({ status: 429, message: "slow down" });
    await failsWith(429, () => client.chat({ model, messages: HELLO }));
  });
  await check("vectors", async () => {
    const { embeddings } = await client.embed({
      model: facts.cohere.embeddingModel,
      inputType: "search_document",
      texts: ["red", "Blue!"],
      embeddingTypes: ["float"],
    });
    assert.deepEqual(embeddings.float[1], [5, 66, 0.5]);
  });
});

const { GoogleGenAI } = await load("@google/genai");
await withServer("gemini", async ({ server, text, call, model, check }) => {
  const { models } = new GoogleGenAI({
    apiKey: KEY,
    httpOptions: { baseUrl: server.origin, apiVersion: "v1beta" },
  });
  const ask = (config = {}) => models.generateContent({ model, contents: "Hi", config });
  await check("chat", async () => {
    server.script(text({ cached: 8 }));
    const answer = await ask({ systemInstruction: "Be brief.", temperature: 0.3, maxOutputTokens: 30 });
    assert.equal(answer.text, TEXT);
    assert.equal(answer.candidates[0].finishReason, "STOP");
    assert.equal(answer.usageMetadata.cachedContentTokenCount, 8);
  });
  await check("stream", async () => {
    server.script(text());
    let said = "";
    for await (const part of await models.generateContentStream({ model, contents: "Hi" }))
      said += part.text ?? "";
    assert.equal(said, TEXT);
  });
  await check("tools", async () => {
    server.script(call);
    const declared = { name: FUNCTION.name, description: FUNCTION.description, parametersJsonSchema: SCHEMA };
    const { functionCalls } = await ask({ tools: [{ functionDeclarations: [declared] }] });
    assert.deepEqual(functionCalls[0].args, PLACE);
  });
  await check("schema", async () => {
    server.script(text());
    await ask({ responseMimeType: "application/json", responseJsonSchema: SCHEMA });
  });
  await check("refusals", async () => {
    server.script({ answer: { finish: "filter" } });
    assert.equal((await ask()).promptFeedback.blockReason, "SAFETY");
    server.script({ status: 404, message: "no such model" });
    await failsWith(404, () => ask());
  });
  await check("vectors", async () => {
    const contents = ["red", "Blue!"];
    const { embeddings } = await models.embedContent({ model: facts.gemini.embeddingModel, contents });
    assert.deepEqual(embeddings[1].values, [5, 66, 0.5]);
  });
});

const { Mistral } = await load("@mistralai/mistralai");
await withServer("mistral", async ({ server, text, call, model, check }) => {
  const client = new Mistral({
    apiKey: KEY,
    serverURL: server.origin,
    retryConfig: { strategy: "none" },
  });
  const request = { model, messages: HELLO };
  await check("chat", async () => {
    server.script(text());
    const { choices, usage } = await client.chat.complete({ ...request, maxTokens: 30, randomSeed: 7 });
    assert.equal(choices[0].message.content, TEXT);
    assert.equal(usage.promptTokens, 12);
  });
  await check("stream and tools", async () => {
    server.script({ answer: { text: TEXT, ...call.answer } });
    let [said, made, end] = ["", undefined, ""];
    const stream = await client.chat.stream({ ...request, toolChoice: "auto", tools: TOOLS });
    for await (const { data } of stream) {
      const [{ delta, finishReason }] = data.choices;
      said += delta.content ?? "";
      made = delta.toolCalls?.[0]?.function ?? made;
      end = finishReason ?? end;
    }
    assert.deepEqual([said, made.name, JSON.parse(made.arguments), end], [TEXT, FUNCTION.name, PLACE, "tool_calls"]);
  });
  await check("schema", async () => {
    server.script(text());
    const jsonSchema = { name: "place", schemaDefinition: SCHEMA, strict: true };
    await client.chat.complete({ ...request, responseFormat: { type: "json_schema", jsonSchema } });
  });
  await check("refusals", async () => {
    server.script({ status: 429, message: "slow down" });
    await failsWith(429, () => client.chat.complete(request));
  });
  await check("vectors", async () => {
    const inputs = ["red", "Blue!"];
    const { data } = await client.embeddings.create({ model: facts.mistral.embeddingModel, inputs });
    assert.deepEqual(data[1].embedding, [5, 66, 0.5]);
  });
});

console.log(JSON.stringify({ held, broken }));
process.exit(0);
