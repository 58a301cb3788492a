/** Models, text completions, embeddings and failures. */
import assert from "node:assert/strict";
import { failing, GREEDY, ranking, type Scenario, user } from "./scenario.ts";

const norm = (vector: readonly number[]) => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

export const otherScenarios: readonly Scenario[] = [
  {
    name: "models: listed and described",
    async run({ client, chatModel }) {
      const ids: string[] = [];
      for await (const model of client.models.list()) {
        assert.equal(model.object, "model");
        ids.push(model.id);
      }
      assert(ids.includes(chatModel));
    },
  },
  {
    name: "models: one by its id",
    peer: "has no /v1/models/{id}",
    async run({ client, chatModel }) {
      assert.equal((await client.models.retrieve(chatModel)).id, chatModel);
      await failing(404, client.models.retrieve("nothing"));
    },
  },
  {
    name: "completions: text goes on as it stands",
    async run({ client, chatModel }) {
      const answer = await client.completions.create({
        model: chatModel,
        prompt: "Hello",
        max_tokens: 5,
        ...GREEDY,
      });
      assert.equal(answer.object, "text_completion");
      assert.equal(answer.choices[0]!.finish_reason, "length");
      assert.equal(answer.usage?.completion_tokens, 5);
      const stream = await client.completions.create({
        model: chatModel,
        prompt: "Hello",
        max_tokens: 5,
        stream: true,
        ...GREEDY,
      });
      let text = "";
      for await (const { choices } of stream) text += choices[0]?.text ?? "";
      assert.equal(text, answer.choices[0]!.text);
    },
  },
  {
    name: "completions: several prompts, answered in order",
    async run({ client, chatModel }) {
      const ask = (prompt: string | string[]) =>
        client.completions.create({ model: chatModel, prompt, max_tokens: 5, ...GREEDY });
      const { choices } = await ask(["Hello", "The sum of 3 and"]);
      const alone = await ask("The sum of 3 and");
      assert.deepEqual(
        choices.map(({ index }) => index),
        [0, 1],
      );
      assert.equal(choices[1]!.text, alone.choices[0]!.text);
    },
  },
  {
    name: "embeddings: one for each text, of length one, as numbers and as base64",
    async run({ embedder, embeddingModel }) {
      const input = ["red wine", "a quiet harbour at night"];
      const numbers = await embedder.embeddings.create({
        model: embeddingModel,
        input,
        encoding_format: "float",
      });
      // without a format the client asks for base64 and reads it
      const decoded = await embedder.embeddings.create({ model: embeddingModel, input });
      assert.equal(numbers.data.length, 2);
      assert(numbers.usage.prompt_tokens > 2);
      numbers.data.forEach(({ embedding, index }, i) => {
        assert.equal(index, i);
        assert(Math.abs(norm(embedding) - 1) < 1e-3);
        decoded.data[i]!.embedding.forEach((x, k) => {
          assert(Math.abs(x - embedding[k]!) < 1e-5);
        });
      });
      const alone = await embedder.embeddings.create({
        model: embeddingModel,
        input: input[1]!,
        encoding_format: "float",
      });
      alone.data[0]!.embedding.forEach((x, k) => {
        assert(Math.abs(x - numbers.data[1]!.embedding[k]!) < 1e-3);
      });
    },
  },
  {
    name: "rerank: documents by their relevance, the best first",
    async run(target) {
      const asked = {
        query: "a quiet harbour",
        documents: ["red wine", "ships at night", "a quiet harbour", "snow"],
      };
      const { results } = await ranking(target, asked);
      assert.deepEqual(results.map(({ index }) => index).sort(), [0, 1, 2, 3]);
      const scores = results.map(({ relevance_score }) => relevance_score);
      assert.deepEqual(
        scores,
        scores.toSorted((a, b) => b - a),
      );
      const best = await ranking(target, { ...asked, top_n: 2 });
      assert.deepEqual(
        best.results.map(({ index }) => index),
        results.slice(0, 2).map(({ index }) => index),
      );
    },
  },
  {
    name: "failures: an unknown model",
    peer: "answers with its one model, whatever the request names",
    async run({ client }) {
      const error = await failing(
        404,
        client.chat.completions.create({ model: "nothing", messages: [user("Hello")] }),
      );
      assert.equal(error.code, "model_not_found");
      assert.equal(error.param, "model");
    },
  },
  {
    name: "failures: a wrong token",
    async run({ stranger, chatModel }) {
      const error = await failing(
        401,
        stranger.chat.completions.create({ model: chatModel, messages: [user("Hello")] }),
      );
      assert.equal(error.name, "Error");
    },
  },
  {
    name: "failures: a body that is no JSON",
    peer: "answers 500",
    async run({ client }) {
      const url = `${client.baseURL}/chat/completions`;
      const headers = { authorization: `Bearer ${client.apiKey}`, "content-type": "application/json" };
      const answer = await fetch(url, { method: "POST", headers, body: '{"model": ' });
      assert.equal(answer.status, 400);
      const { error } = (await answer.json()) as { error: { type: string; message: string } };
      assert.equal(error.type, "invalid_request_error");
    },
  },
  {
    name: "failures: a parameter of the wrong type is named",
    peer: "takes max_tokens 0, roles, tool names and stops of any kind; names no parameter",
    async run({ client, chatModel }) {
      const wrong: [string, object][] = [
        ["temperature", { temperature: "hot" }],
        ["max_tokens", { max_tokens: 0 }],
        ["messages[0].role", { messages: [{ role: "king", content: "Hello" }] }],
        [
          "messages[0].content[0].type",
          { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] }] },
        ],
        ["n", { n: 0 }],
        ["stop", { stop: 5 }],
        ["response_format.type", { response_format: { type: "xml" } }],
        ["tools[0].function.name", { tools: [{ type: "function", function: { name: "a b" } }] }],
        ["messages[0].tool_call_id", { messages: [{ role: "tool", tool_call_id: "none", content: "" }] }],
      ];
      for (const [param, more] of wrong) {
        const body = { model: chatModel, messages: [user("Hello")], ...more };
        const error = await failing(400, client.post("/chat/completions", { body }));
        assert.equal(error.param, param);
        assert.equal(error.type, "invalid_request_error");
      }
    },
  },
  {
    name: "failures: what is not supported is refused by its name",
    peer: "supports logprobs and logit_bias, and ignores what it does not know",
    async run({ client, chatModel }) {
      for (const [param, more] of [
        ["logprobs", { logprobs: true }],
        ["logit_bias", { logit_bias: { 5: 1 } }],
        ["tempratur", { tempratur: 1 }],
        ["audio", { audio: { voice: "alloy", format: "wav" } }],
      ] as const) {
        const body = { model: chatModel, messages: [user("Hello")], ...more };
        const error = await failing(400, client.post("/chat/completions", { body }));
        assert.equal(error.param, param);
      }
    },
  },
  {
    name: "failures: a prompt longer than the context",
    async run({ client, chatModel, contextTokens }) {
      const error = await failing(
        400,
        client.chat.completions.create({
          model: chatModel,
          messages: [user("one two ".repeat(contextTokens))],
        }),
      );
      assert.match(error.message, /context/);
    },
  },
];
