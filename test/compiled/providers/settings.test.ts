/** Keys of [providers.NAME] and [models] that change what is sent and when. */
import { describe, expect, test } from "bun:test";
import { faultyGpu } from "../../support/faulty-gpu.ts";
import { ProviderServer, type Step } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";
import { CallsSandbox } from "../calls/support.ts";

const openai = VENDORS.find(({ type }) => type === "openai")!;

async function withServer<T>(
  keys: string,
  steps: Step[],
  use: (box: CallsSandbox, server: ProviderServer) => Promise<T>,
): Promise<T> {
  await using server = await ProviderServer.start(openai.format);
  server.script(...steps);
  using box = new CallsSandbox(`[providers.openai]
provider_type = "openai"
base_url = "${server.origin}/v1"
api_key = "${KEY}"
${keys}`);
  return await use(box, server);
}

const agent = (more = "") =>
  `Agent.create{name = "a" .. math.random(1, 2^50), model = "openai/gpt-4o-mini"${more}}`;
const ASK = `print(${agent()}:execute("Hello").text)`;
const OK: Step = { answer: { text: "ok" } };

test("retry.backoff_multiplier makes waits grow by its factor, up to max_delay_ms", async () => {
  const retry = (multiplier: number) =>
    `[providers.openai.retry]\nmax_retries = 3\ninitial_delay_ms = 100\nmax_delay_ms = 60000\nbackoff_multiplier = ${multiplier}`;
  const waits = (multiplier: number) =>
    withServer(
      retry(multiplier),
      [{ status: 503 }, { status: 503 }, { status: 503 }, OK],
      async (box, server) => {
        expect((await box.script(ASK)).stdout).toBe("ok\n");
        const times = server.seen.map(({ atMs }) => atMs);
        return times.slice(1).map((atMs, i) => atMs - times[i]!);
      },
    );
  // between half and the whole of 100, 400 and 1600 ms
  const [first, second, third] = (await waits(4)) as [number, number, number];
  expect(first).toBeGreaterThan(49);
  expect(second).toBeGreaterThan(199);
  expect(third).toBeGreaterThan(799);
  // always 100
  const steady = await waits(1);
  expect(Math.min(...steady)).toBeGreaterThan(49);
  expect(Math.max(...steady)).toBeLessThan(1500);
});

describe("structured_outputs", () => {
  const schema = 'schema = {type = "object", properties = {age = {type = "integer"}}, required = {"age"}}';
  const ask = `print(${agent(`, ${schema}`)}:execute("How old?").parsed.age)`;

  test.each([
    ["", true],
    ["structured_outputs = true", true],
    ["structured_outputs = false", false],
  ])("%s sends the schema: %p; else it is told in words", async (keys, isSent) => {
    await withServer(keys, [{ answer: { text: '{"age": 36}' } }], async (box, server) => {
      expect((await box.script(ask)).stdout).toBe("36\n");
      const { response_format: format, messages } = server.seen[0]!.body as {
        response_format: { type: string };
        messages: unknown;
      };
      expect(format.type).toBe(isSent ? "json_schema" : "json_object");
      expect(JSON.stringify(messages).includes("JSON Schema")).toBe(!isSent);
    });
  });
});

test("rate_limit.tokens_per_minute refuses what does not fit, after what the vendor counted", async () => {
  const limits = "[providers.openai.rate_limit]\ntokens_per_minute = 1000\nauto_retry = false";
  await withServer(limits, [{ answer: { text: "ok", input: 900, output: 50 } }], async (box, server) => {
    const ask = `${agent(", max_tokens = 100")}:execute("Hello")`;
    const done = await box.script(`${ask} local ok, err = pcall(function() ${ask} end) print(err)`);
    expect(done.stdout).toContain("Cannot call provider 'openai': tokens_per_minute is 1000");
    expect(server.seen).toHaveLength(1);
  });
});

test("rate_limit is one for two tables of the same service and key", async () => {
  await using server = await ProviderServer.start(openai.format);
  server.script(OK);
  const table = (name: string) =>
    `[providers.${name}]\nprovider_type = "openai"\nbase_url = "${server.origin}/v1"\napi_key = "${KEY}"\n[providers.${name}.rate_limit]\nrequests_per_minute = 2\nauto_retry = false\n`;
  using box = new CallsSandbox(table("fast") + table("slow"));
  const done = await box.script(`
    for _, name in ipairs{"fast", "slow", "fast", "slow"} do
      local a = Agent.create{name = name .. os.clock(), model = name .. "/gpt-4o-mini"}
      print(name, (pcall(a.execute, a, "Hello")))
    end`);
  expect(done.stdout).toBe("fast\ttrue\nslow\ttrue\nfast\tfalse\nslow\tfalse\n");
});

describe("models.cache", () => {
  const cache = (keys: string) => `[models.cache]\nenabled = true\n${keys}`;
  const ask = (texts: readonly string[]) =>
    texts
      .map(
        (text) =>
          `print(${agent(', temperature = 0, system_prompt = "x"')}:execute("${text}").metadata.cached_calls or 0)`,
      )
      .join("\n");

  test("persistent = false forgets with the process, true does not", async () => {
    for (const [persistent, asked] of [
      [false, 2],
      [true, 1],
    ] as const)
      await withServer(cache(`persistent = ${persistent}`), [OK], async (box, server) => {
        expect((await box.script(ask(["A", "A"]))).stdout).toBe("0\n1\n");
        expect((await box.script(ask(["A"]))).stdout).toBe(persistent ? "1\n" : "0\n");
        expect(server.seen).toHaveLength(asked);
      });
  });

  test("ttl_seconds ends an answer's life", async () => {
    for (const persistent of [false, true])
      await withServer(cache(`persistent = ${persistent}\nttl_seconds = 1`), [OK], async (box, server) => {
        await box.script(
          `${ask(["A", "A"])} local t = os.time() while os.time() < t + 3 do Tool.execute("calculator", {input = "1"}) end ${ask(["A"])}`,
        );
        expect(server.seen).toHaveLength(2);
      });
  });

  test("max_entries lets the least recently used leave", async () => {
    for (const persistent of [false, true])
      await withServer(cache(`persistent = ${persistent}\nmax_entries = 2`), [OK], async (box, server) => {
        // A and B are kept, A is used, C takes the place of B
        const done = await box.script(ask(["A", "B", "A", "C", "A", "B"]));
        expect(done.stdout).toBe("0\n0\n1\n0\n1\n0\n");
        expect(server.seen).toHaveLength(4);
      });
  });
});

test("gpu_layers puts so many layers on a GPU, none for 0", async () => {
  const gpu = { GGML_BACKEND_PATH: faultyGpu(), FAULTY_GPU: "alloc" };
  for (const [layers, warning] of [
    [0, ""],
    [99, "the GPU failed, the processor is used instead"],
  ] as const) {
    using box = new CallsSandbox(
      `[providers.llamacpp]\nprovider_type = "llamacpp"\ngpu_layers = ${layers}\n`,
    );
    box.write(
      "script.lua",
      'print(#Agent.create{name = "a", model = "local/spell-mini"}:execute("Hello").text > 0)',
    );
    const done = await box.run(["-c", box.config, "run", "script.lua"], { env: gpu });
    expect(done.stdout).toBe("true\n");
    if (warning === "") expect(done.stderr).toBe("");
    else expect(done.stderr).toContain(warning);
  }
});

describe("A budget of time", () => {
  const wait = `local t = os.time() while os.time() < t + 3 do Tool.execute("calculator", {input = "1"}) end`;
  const script = `${ASK} ${wait} local ok, err = pcall(function() ${ASK} end) print(ok, err)`;

  test("of the configuration lets no call begin after it", async () => {
    await withServer("[models.budget]\ntime_seconds = 1.5", [OK], async (box, server) => {
      const done = await box.script(script);
      expect(done.stdout).toStartWith("ok\nfalse\t");
      expect(done.stdout).toContain("the time budget of the script is 1.5 s: its time is up");
      expect(server.seen).toHaveLength(1);
    });
  });

  test("of the command line wins over it", async () => {
    await withServer("[models.budget]\ntime_seconds = 1000", [OK], async (box, server) => {
      const done = await box.script(script, "--budget", "time=1500ms");
      expect(done.stdout).toContain("the time budget of the script is 1.5 s: its time is up");
      expect(server.seen).toHaveLength(1);
    });
    await withServer("[models.budget]\ntime_seconds = 1", [OK], async (box, server) => {
      expect((await box.script(script, "--budget", "time=1m")).stdout).toStartWith("ok\nok\ntrue");
      expect(server.seen).toHaveLength(2);
    });
  });
});

describe("max_tokens and temperature of a provider", () => {
  const usage = async (config: string, model: string, more = "") => {
    using box = new CallsSandbox(config);
    const done = await box.script(
      `local r = Agent.create{name = "a", model = "${model}"${more}}:execute("Tell me a story")
       print(r.usage.completion_tokens, r.metadata.finish_reason)`,
    );
    expect(done.stderr).toBe("");
    return done.stdout;
  };

  test.each([
    ["local/spell-mini", '[providers.llamacpp]\nprovider_type = "llamacpp"\nmax_tokens = 5\n'],
    [
      "ci/x",
      '[providers.ci]\nprovider_type = "test"\nmax_tokens = 5\n[[providers.ci.responses]]\ntext = "one two three four five six"\n',
    ],
  ])("hold for %s, unless the agent says otherwise", async (model, config) => {
    expect(await usage(config, model)).toBe("5\tlength\n");
    expect(await usage(config, model, ", max_tokens = 3")).toBe("3\tlength\n");
  });

  test("go to a vendor with every request", async () => {
    await withServer("max_tokens = 77\ntemperature = 0.25", [OK], async (box, server) => {
      await box.script(`${ASK} print(${agent(", temperature = 1, max_tokens = 9")}:execute("Hello").text)`);
      const sent = server.seen.map(({ body }) => [
        body.temperature,
        body.max_tokens ?? body.max_completion_tokens,
      ]);
      expect(sent).toEqual([
        [0.25, 77],
        [1, 9],
      ]);
    });
  });
});
