/** Answers in one piece and in a stream, what is sent for them, and what counts as none. */
import assert from "node:assert/strict";
import { failed, HELLO, LOOK, PNG, type ProviderCase, SCHEMA, streamed, TEXT, user } from "./target.ts";

export const answerCases: readonly ProviderCase[] = [
  {
    name: "answers in one piece, with usage and reason",
    async run({ server, open }) {
      server.script({ answer: { text: TEXT, input: 11, output: 5 } });
      const answer = await (await open()).doGenerate(HELLO);
      assert.deepEqual(
        answer.content.flatMap((part) => (part.type === "text" ? part.text : [])),
        [TEXT],
      );
      assert.equal(answer.finishReason.unified, "stop");
      assert.equal(answer.usage.inputTokens.total, 11);
      assert.equal(answer.usage.outputTokens.total, 5);
      assert.equal(answer.providerMetadata?.llmspell?.retries, 0);
    },
  },
  {
    name: "streams the same",
    async run(target) {
      target.server.script({ answer: { text: TEXT, input: 11, output: 5 } });
      const { text, finish, parts } = await streamed(target);
      assert.equal(text, TEXT);
      assert(parts.filter(({ type }) => type === "text-delta").length > 3);
      assert.equal(finish?.finishReason.unified, "stop");
      assert.equal(finish?.usage.inputTokens.total, 11);
      assert.equal(finish?.usage.outputTokens.total, 5);
      assert.equal(finish?.providerMetadata?.llmspell?.retries, 0);
    },
  },
  {
    name: "sends settings and conversation in the vendor's own fields",
    async run(target) {
      const { vendor, server } = target;
      server.script({ answer: { text: "ok" } });
      const { error } = await streamed(target, {
        prompt: [
          { role: "system", content: "Be brief." },
          user("Hello"),
          { role: "assistant", content: [{ type: "text", text: "Hi" }] },
          user("And now?"),
        ],
        temperature: 0.5,
        maxOutputTokens: 64,
        ...(vendor.lacks.includes("stop") ? {} : { stopSequences: ["END"] }),
        ...(vendor.lacks.includes("seed") ? {} : { seed: 7 }),
        ...(vendor.lacks.includes("topK") ? {} : { topK: 20 }),
      });
      assert.equal(error?.message, undefined);
      const sent = JSON.stringify(server.seen[0]!.body);
      for (const value of ["Be brief.", "Hi", "And now?", "0.5", "64"]) assert(sent.includes(value), value);
      if (!vendor.lacks.includes("stop")) assert(sent.includes("END"));
      if (!vendor.lacks.includes("seed")) assert(/"\w*seed":7\b/.test(sent), sent);
    },
  },
  {
    name: "sends images",
    needs: ["images"],
    async run(target) {
      target.server.script({ answer: { text: "A red dot" } });
      const { text, error } = await streamed(target, LOOK, {}, target.vendor.imageModel);
      assert.equal(error?.message, undefined);
      assert.equal(text, "A red dot");
      assert(JSON.stringify(target.server.seen[0]!.body).includes(PNG));
    },
  },
  {
    name: "sends no images to a model that is known not to see them",
    async run(target) {
      if (target.vendor.imageModel === undefined) return;
      target.server.script({ answer: { text: "A red dot" } });
      const error = await failed(target, LOOK);
      assert.equal(error.code, "invalid_argument");
      assert.match(error.message, /it sees no images/);
      assert.equal(target.server.seen.length, 0);
    },
  },
  {
    name: "sends the schema of an answer natively",
    async run(target) {
      const { vendor, server } = target;
      server.script({ answer: { text: '{"name":"Ada","age":36}' } });
      const { text, error } = await streamed(target, {
        ...HELLO,
        responseFormat: { type: "json", schema: SCHEMA },
      });
      assert.equal(error?.message, undefined);
      assert.equal(text, '{"name":"Ada","age":36}');
      const sent = vendor.schemaIn(server.seen[0]!.body as never) as { properties?: object } | undefined;
      assert.deepEqual(Object.keys(sent?.properties ?? {}), ["name", "age"]);
    },
  },
  {
    name: "sends a schema that strict modes refuse, not strictly",
    async run(target) {
      target.server.script({ answer: { text: "{}" } });
      const schema = { type: "object" as const, properties: { name: { type: "string" as const } } };
      const { error } = await streamed(target, { ...HELLO, responseFormat: { type: "json", schema } });
      assert.equal(error?.message, undefined);
    },
  },
  {
    name: "reads tokens that the vendor had cached",
    needs: ["cached"],
    async run(target) {
      target.server.script({ answer: { text: "ok", input: 40, cached: 32 } });
      const { finish } = await streamed(target);
      assert.equal(finish?.usage.inputTokens.total, 40);
      assert.equal(finish?.usage.inputTokens.cacheRead, 32);
    },
  },
  {
    name: "tells an answer that reached its limit",
    async run(target) {
      target.server.script({ answer: { text: "Half an", finish: "length" } });
      assert.equal((await streamed(target)).finish?.finishReason.unified, "length");
    },
  },
  {
    name: "fails an answer that the content filter withholds",
    needs: ["filter"],
    async run(target) {
      target.server.script({ answer: { finish: "filter" } });
      const error = await failed(target);
      assert.equal(error.code, "provider");
      assert.match(error.message, /withholds its answer/);
      assert.match(error.hint!, /content filter/);
      assert.equal(target.server.seen.length, 1);
    },
  },
  {
    name: "fails an empty answer",
    async run(target) {
      target.server.script({ answer: {} });
      assert.match((await failed(target)).message, /its answer is empty/);
    },
  },
  {
    name: "makes vectors of texts",
    needs: ["embeddings"],
    async run({ vendor, server, models }) {
      server.script();
      const model = await models.resolveEmbedding(`${vendor.type}/${vendor.embeddingModel}`);
      const { embeddings } = await model.doEmbed({ values: ["red", "Blue!"] });
      assert.deepEqual(embeddings, [
        [3, 114, 0.5],
        [5, 66, 0.5],
      ]);
    },
  },
];
