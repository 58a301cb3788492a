/** Cloud providers from the built executable, configured by variables only, against loopback servers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { ProviderServer } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";

const box = new Sandbox();
const servers = new Map<string, ProviderServer>();
const env: Record<string, string> = {};

beforeAll(async () => {
  for (const { type, format, modelId, basePath } of VENDORS) {
    const server = await ProviderServer.start(format);
    servers.set(type, server);
    const name = `LLMSPELL_${type.toUpperCase()}`;
    env[`${name}_API_KEY`] = KEY;
    env[`${name}_ENDPOINT`] = `${server.origin}${basePath}`;
    env[`${name}_MODEL`] = modelId;
    env[`${name}_MAX_RETRIES`] = "1";
  }
});

afterAll(async () => {
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
  box[Symbol.dispose]();
});

const everyone = (step: (type: string) => Parameters<ProviderServer["script"]>[0]) => {
  for (const [type, server] of servers) server.script(step(type));
};

test("One script asks every vendor, with a tool where the vendor has any", async () => {
  for (const { type, callIds, lacks } of VENDORS) {
    const call = { id: callIds[0], name: "calculator", args: '{"operation":"evaluate","input":"6*7"}' };
    const answer = { answer: { text: `Grüße von ${type} 🦜`, input: 20, output: 4 } };
    servers
      .get(type)!
      .script(...(lacks.includes("tools") ? [] : [{ answer: { toolCalls: [call] } }]), answer);
  }
  const done = await box.lua(
    `for _, name in ipairs({ ${VENDORS.map(({ type }) => `"${type}"`).join(", ")} }) do
       local builder = Agent.builder():name(name):model(name .. "/")
       if name ~= "perplexity" then builder:allow_tool("calculator") end
       local result = builder:build():execute("What is 6*7?")
       local call = result.tool_calls[1]
       print(name, result.text, call and call.result.data:match('"value": (%d+)') or "-", result.usage.total_tokens)
     end`,
    { env },
  );
  expect(done.stderr).toBe("");
  expect(done.stdout.trim().split("\n")).toEqual(
    VENDORS.map(({ type, lacks }) =>
      [type, `Grüße von ${type} 🦜`, ...(lacks.includes("tools") ? ["-", 24] : ["42", 36])].join("\t"),
    ),
  );
  for (const server of servers.values())
    for (const { body } of server.seen) expect(body).not.toContainKey("tool");
});

test("A stream arrives piece by piece", async () => {
  everyone(() => ({ answer: { text: "one two three four" } }));
  const done = await box.lua(
    `local n = 0
     local a = Agent.builder():name("a"):model("anthropic/"):build()
     a:invokeStream("Count", function(chunk) n = n + 1 end)
     print(n > 2)`,
    { env },
  );
  expect(done).toMatchObject({ stdout: "true\n", stderr: "", code: 0 });
});

test("Structured output is asked for natively, and a wrong answer is given back", async () => {
  everyone(() => ({ answer: { text: '{"age": "old"}' } }));
  servers.get("openai")!.script({ answer: { text: '{"age": "old"}' } }, { answer: { text: '{"age": 36}' } });
  const done = await box.lua(
    `local schema = { type = "object", properties = { age = { type = "integer" } }, required = { "age" } }
     local a = Agent.builder():name("a"):model("openai/"):schema(schema):build()
     print(a:execute("How old?").parsed.age)
     local b = Agent.builder():name("b"):model("mistral/"):schema(schema):max_schema_retries(1):build()
     print(select(2, pcall(b.execute, b, "How old?")))`,
    { env },
  );
  const [age, failure] = done.stdout.split("\n");
  expect(age).toBe("36");
  expect(failure).toContain("does not keep to the schema: /age must be integer");
  expect(servers.get("mistral")!.seen).toHaveLength(2);
});

test("A fallback answers where a vendor does not, and the result says who", async () => {
  everyone((type) => (type === "groq" ? { answer: { text: "from groq" } } : { status: 503 }));
  const done = await box.lua(
    `local a = Agent.builder():name("a"):model("openai/"):fallback_models({ "cohere/", "groq/" }):max_retries(0):build()
     local r = a:execute("Hi")
     print(r.text, r.metadata.provider, r.metadata.model)`,
    { env },
  );
  expect(done.stdout).toBe("from groq\tgroq\topenai/gpt-oss-20b\n");
  expect(done.stderr).toContain("a model cannot answer and the next is asked");
  expect(done.stdout + done.stderr).not.toContain(KEY);
});

describe("Failures", () => {
  test.each([
    ["unreachable", "LLMSPELL_OPENAI_ENDPOINT", "http://127.0.0.1:1/v1", /nothing answers at the address/],
    ["the wrong key", "LLMSPELL_OPENAI_API_KEY", "sk-wrong-0123456789", /Incorrect API key.*\(HTTP 401\)/],
  ])("%s: a clear text with a next step, exit code 1, no key", async (_what, variable, value, text) => {
    everyone(() => ({ answer: { text: "unused" } }));
    const done = await box.lua(
      `Agent.builder():name("a"):model("openai/"):max_retries(0):build():execute("Hi")`,
      {
        env: { ...env, [variable]: value },
      },
    );
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(text);
    expect(done.stderr).toContain("Next: ");
    expect(done.stderr).not.toContain(value.startsWith("sk-") ? value : KEY);
  });
});

test("`llmspell providers` shows them as usable, and tests them", async () => {
  everyone(() => ({ answer: { text: "Hello" } }));
  const listed = await box.run(["providers", "list", "--output", "json"], { env });
  const { providers } = JSON.parse(listed.stdout) as { providers: { name: string; problem: unknown }[] };
  for (const { type } of VENDORS)
    expect(providers).toContainEqual(expect.objectContaining({ name: type, problem: null }));
  expect(listed.stdout).not.toContain(KEY);
  for (const { type, modelId } of VENDORS) {
    const tested = await box.run(["providers", "test", type], { env });
    expect(tested.stdout).toMatch(new RegExp(`^${type}/${modelId} answered in \\d+ ms: Hello\n$`));
  }
  const info = await box.run(["providers", "info", "anthropic", "--output", "json"], { env });
  expect(JSON.parse(info.stdout).capabilities).toMatchObject({
    supports_multimodal: true,
    max_context_tokens: 200_000,
  });
});
