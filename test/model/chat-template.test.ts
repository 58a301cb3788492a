import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import { GENERATED_MODELS, generateModel } from "../support/gguf-models.ts";
import { ask, CALCULATOR, failureOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-chat-template-"));
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const MARK = "MARK";

function modelOf(name: string, chatTemplate: string, mark = MARK) {
  const path = generateModel(directory, name, { ...GENERATED_MODELS["llama-f32"]!, chatTemplate });
  const bytes = readFileSync(path);
  if (mark !== MARK) bytes.write(mark, bytes.indexOf(MARK), "latin1");
  writeFileSync(path, bytes);
  return createLlamaModel({ path, id: name, threads: 1, client });
}

/** Whichever comes first on this machine. */
const ENDED = /the template (takes more than (3 s|512 MB)|calls itself without end)/;

describe("A chat template", () => {
  test.each([
    ["that cannot be parsed", "{% for m in messages %}{{ m.content }", MARK],
    ["that fails", "{{ raise_exception('no') }}", MARK],
    ["that is not UTF-8", "{% for m in messages %}MARK{{ m.content }}{% endfor %}", "\xff\xfe\xc0\x80"],
  ])("%s is the file's fault", async (name, template, mark) => {
    const error = await failureOf(
      modelOf(name.replaceAll(" ", "-"), template, mark).doGenerate(ask("Hello")),
    );
    expect(error).toMatchObject({ code: "model_invalid", data: { template: "tokenizer.chat_template" } });
  });

  test("that refuses a conversation leaves the model usable for others", async () => {
    const model = modelOf(
      "without-system",
      "{% for m in messages %}{% if m.content == 'forbidden' %}{{ raise_exception('never that') }}{% endif %}{{ m.content }}{% endfor %}",
    );
    const prompt = (text: string) => [{ role: "user" as const, content: [{ type: "text" as const, text }] }];
    const error = await failureOf(model.doGenerate({ prompt: prompt("forbidden") }));
    expect(error).toMatchObject({ code: "invalid_argument" });
    const { usage } = await model.doGenerate({ prompt: prompt("Hello"), maxOutputTokens: 3 });
    expect(usage.outputTokens.total).toBeGreaterThan(0);
  });

  test.each([
    ["loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"],
    ["makes a list without end", "{% for a in range(2000000000) %}{% endfor %}"],
    [
      "doubles a text",
      "{% set n = namespace(t='x') %}{% for a in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
    ],
    [
      "puts a text for each letter of itself",
      "{% set n = namespace(t='xxxxxxxx') %}{% for a in range(9) %}{% set n.t = n.t|replace('x', n.t) %}{% endfor %}",
    ],
    ["calls itself", "{% macro f(a) %}{{ f(a) }}{% endmacro %}{{ f(1) }}"],
  ])(
    "that %s for a certain conversation is ended, and answers others",
    async (name, harm) => {
      const template = `{% for m in messages %}{% if m.content == 'forbidden' %}${harm}{% endif %}{{ m.content }}{% endfor %}`;
      const model = modelOf(name.replaceAll(" ", "-"), template);
      const error = await failureOf(model.doGenerate(ask("forbidden")));
      expect(error).toMatchObject({ code: "invalid_argument", message: expect.stringMatching(ENDED) });
      const { usage } = await model.doGenerate(ask("Hello", { maxOutputTokens: 3 }));
      expect(usage.outputTokens.total).toBeGreaterThan(0);
    },
    120_000,
  );

  test("that makes values deep within values ends without harm", async () => {
    const model = modelOf(
      "deep",
      "{% set n = namespace(t=[]) %}{% for a in range(400000) %}{% set n.t = [n.t] %}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}",
    );
    const end = await model.doGenerate(ask("Hello", { maxOutputTokens: 3 })).then(
      () => "an answer",
      (error) => error.code,
    );
    expect(["an answer", "model_invalid"]).toContain(end);
  }, 120_000);

  test("without a form for tool calls answers with tools at hand, and refuses to be made to call one", async () => {
    const model = modelOf("without-tools", "{% for m in messages %}{{ m.content }}{% endfor %}");
    const tools = { tools: [CALCULATOR], maxOutputTokens: 3 };
    const { usage } = await model.doGenerate(ask("Hello", tools));
    expect(usage.outputTokens.total).toBeGreaterThan(0);
    const error = await failureOf(
      model.doGenerate(ask("Hello", { ...tools, toolChoice: { type: "required" } })),
    );
    expect(error).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("no form for tool calls"),
    });
  });
});
