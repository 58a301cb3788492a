/** What is the same for all providers: time limits, proxies, certificates, redirects, keys. */
import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import type { SpellError } from "../../../../src/core/errors.ts";
import { addressOf } from "../../../../src/models/providers/cloud/settings.ts";
import { VENDORS as CLIENTS } from "../../../../src/models/providers/cloud/vendors.ts";
import type { ModelOverrides } from "../../../../src/models/service.ts";
import { failure, modelService, temporaryHome } from "../../../support/model-service.ts";
import { ProviderServer } from "../../../support/providers/server.ts";
import { KEY, VENDORS } from "../../../support/providers/vendors.ts";

const { format } = VENDORS.find(({ type }) => type === "openai")!;
const server = await ProviderServer.start(format);
afterAll(() => server[Symbol.asyncDispose]());

interface Setup {
  settings?: string;
  base?: string;
  env?: Record<string, string>;
  top?: string;
}

const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }];

async function withModel<T>(
  { settings = "", base = `${server.origin}/v1`, env = {}, top = "" }: Setup,
  use: (ask: (overrides?: ModelOverrides) => Promise<string>, home: string) => Promise<T>,
): Promise<T> {
  using home = temporaryHome(env);
  const toml = `${top}
[providers.box]
provider_type = "openai"
base_url = "${base}"
api_key = "${KEY}"
${settings}`;
  const { models } = await modelService(home, toml);
  return use(async (overrides) => {
    const { content } = await (await models.resolve("box/m", overrides)).doGenerate({ prompt: PROMPT });
    return content.flatMap((part) => (part.type === "text" ? part.text : [])).join("");
  }, home.directory);
}

const answers = (setup: Setup = {}, overrides?: ModelOverrides) => withModel(setup, (ask) => ask(overrides));
const fails = (setup: Setup = {}, overrides?: ModelOverrides): Promise<SpellError> =>
  withModel(setup, (ask) => failure(() => ask({ maxRetries: 0, ...overrides })));

describe("Time limits", () => {
  test("name the one that was reached and its key", async () => {
    server.script({ silent: true });
    const begin = await fails({ settings: "timeout_seconds = 1" });
    expect([begin.code, begin.data.key]).toEqual(["timeout", "timeout_seconds"]);
    expect(begin.message).toBe(`Cannot call model box/m: no answer began within 1 s: ${server.origin}`);
    expect(begin.hint).toBe("Try again, or raise timeout_seconds in [providers.box]");
  });

  test("between two pieces of an answer end it", async () => {
    server.script({ answer: { text: "slow answer" }, gapMs: 1500 });
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      `[providers.box]
provider_type = "openai"
base_url = "${server.origin}"
api_key = "${KEY}"
idle_timeout_seconds = 1`,
    );
    const model = await models.resolve("box/m");
    const error = await failure(async () => {
      const { stream } = await model.doStream({ prompt: PROMPT });
      for await (const part of stream) if (part.type === "error") throw part.error;
    });
    expect([error.code, error.data.key]).toEqual(["timeout", "idle_timeout_seconds"]);
  });

  test("for connections are told apart from those for answers", async () => {
    // a queue of connections that nobody takes in, and that is full
    const full = Bun.spawn(
      [
        "python3",
        "-u",
        "-c",
        `import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
held = []
for i in range(4):
    c = socket.socket(); c.setblocking(False); held.append(c)
    try: c.connect(s.getsockname())
    except BlockingIOError: pass
print(s.getsockname()[1]); time.sleep(60)`,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    try {
      const { value } = await full.stdout.getReader().read();
      const port = Number(new TextDecoder().decode(value));
      const settings = "connect_timeout_seconds = 1\ntimeout_seconds = 30";
      const error = await fails({ settings, base: `http://127.0.0.1:${port}/v1` });
      expect([error.code, error.data.key]).toEqual(["timeout", "connect_timeout_seconds"]);
      expect(error.message).toContain("no connection within 1 s");
    } finally {
      full.kill("SIGKILL");
      await full.exited;
    }
  });

  test("leave a slow answer alone where the connection stands", async () => {
    server.script({ answer: { text: "late" }, beginMs: 1300 });
    expect(await answers({ settings: "connect_timeout_seconds = 1" })).toBe("late");
  });
});

describe("An address", () => {
  test("where nothing answers is told, and asked again", async () => {
    const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const base = `http://127.0.0.1:${free.port}/v1`;
    free.stop(true);
    const error = await fails({ base });
    expect([error.code, error.message]).toEqual([
      "network",
      `Cannot call model box/m: cannot connect: nothing answers at the address: ${new URL(base).origin}`,
    ]);
    expect(error.hint).toContain("base_url");
  });

  test("that redirects is not followed: the key goes nowhere else", async () => {
    const seen: unknown[] = [];
    await using elsewhere = await ProviderServer.start(format);
    const moved = createServer((request, response) => {
      seen.push(request.url);
      response.writeHead(307, { location: `${elsewhere.origin}/v1/chat/completions` }).end();
    }).listen(0, "127.0.0.1");
    const error = await fails({ base: `http://127.0.0.1:${(moved.address() as AddressInfo).port}/v1` });
    moved.close();
    expect(error.message).toContain("the server redirects");
    expect(error.hint).toContain("Set base_url");
    expect([seen.length, elsewhere.seen.length]).toEqual([1, 0]);
  });

  test("of a script gets no key of the configuration, unless it is the same place or on this machine", () => {
    const openai = CLIENTS.openai!;
    const settings = { provider_type: "openai", enabled: true };
    const address = (baseUrl: string, configured?: string) =>
      addressOf("p", openai, configured === undefined ? settings : { ...settings, base_url: configured }, {
        baseUrl,
      });
    expect(address("https://attacker.example/v1")).toMatchObject({ isOwn: false, takesKey: false });
    expect(address("http://169.254.169.254/latest")).toMatchObject({ isOwn: false, takesKey: false });
    expect(address("http://127.0.0.1.attacker.example/v1")).toMatchObject({ isOwn: false, takesKey: false });
    expect(address("https://api.openai.com/v2")).toMatchObject({ isOwn: true, takesKey: true });
    expect(address("http://api.openai.com/v1")).toMatchObject({ takesKey: false });
    expect(address("http://localhost:8080")).toEqual({
      url: "http://localhost:8080/v1",
      isOwn: false,
      isNear: true,
      takesKey: true,
    });
    expect(address("http://[::1]:8080/v1")).toMatchObject({ isNear: true });
    expect(address("http://10.1.2.3:8000/x", "http://10.1.2.3:8000/v1")).toMatchObject({ takesKey: true });
  });

  test.each(["ftp://x/v1", "localhost:8080/v1", "nonsense"])("must be one: %s", async (baseUrl) => {
    const error = await fails({}, { baseUrl });
    expect(error.code).toBe("config");
    expect(error.message).toContain(baseUrl);
  });

  test("and a key of a call win over the configuration's", async () => {
    server.script({ answer: { text: "here" } });
    const setup = { base: "https://unreachable.invalid/v1", settings: "" };
    expect(await answers(setup, { baseUrl: server.origin, apiKey: KEY })).toBe("here");
  });
});

describe("The network rules", () => {
  const top = "[runtime.security]\nallow_network_access = false";

  test("shut out vendors where the network is switched off, and let servers on this machine be", async () => {
    server.script({ answer: { text: "near" } });
    expect(await answers({ top })).toBe("near");
    const error = await fails({ top, base: "https://api.openai.com/v1" });
    expect([error.code, error.message]).toEqual([
      "permission_denied",
      "Network access is disabled: https://api.openai.com",
    ]);
  });

  test.each([
    "http://169.254.169.254/latest",
    "http://10.0.0.1/v1",
    "http://127.0.0.1:6379",
    "http://localhost:22",
  ])("hold for what a script names: %s", async (baseUrl) => {
    expect((await fails({}, { baseUrl })).code).toBe("permission_denied");
  });

  test("let a script reach a server of models on this machine, by name and number", async () => {
    server.script({ answer: { text: "near" } });
    const { port } = new URL(server.origin);
    const restricted = '[tools.network]\nallowed_domains = ["example.com"]';
    for (const host of ["127.0.0.1", "localhost"])
      for (const rules of ["", top, restricted])
        expect(await answers({ top: rules }, { baseUrl: `http://${host}:${port}/v1` })).toBe("near");
  });
});

describe("A key", () => {
  test("that is not there is not sent", async () => {
    const seen: Record<string, unknown>[] = [];
    const open = createServer((request, response) => {
      seen.push(request.headers);
      response.writeHead(418, { "content-type": "application/json" }).end('{"error":"a teapot"}');
    }).listen(0, "127.0.0.1");
    using home = temporaryHome();
    const base = `http://127.0.0.1:${(open.address() as AddressInfo).port}/v1`;
    const { models } = await modelService(
      home,
      `[providers.box]\nprovider_type = "custom"\nbase_url = "${base}"\ndefault_model = "m"`,
    );
    const model = await models.resolve("box/");
    expect((await failure(() => model.doGenerate({ prompt: PROMPT }))).message).toContain("a teapot");
    open.close();
    expect(Object.keys(seen[0]!)).not.toContain("authorization");
    expect(Object.keys(seen[0]!)).not.toContain("x-api-key");
  });

  test("goes where auth_header and auth_prefix say, with the configured headers", async () => {
    server.script({ answer: { text: "ok" } });
    const settings = `auth_header = "api-key"\nheaders = { "X-Team" = "blue", "Authorization" = "Bearer ${KEY}" }`;
    expect(await answers({ settings })).toBe("ok");
    const { headers } = server.seen[0]!;
    expect(headers).toMatchObject({ "api-key": KEY, "x-team": "blue" });
    server.script({ answer: { text: "ok" } });
    await fails({ settings: 'auth_prefix = "Token"\norganization_id = "org-1"' });
    expect(server.seen[0]!.headers).toMatchObject({
      authorization: `Token ${KEY}`,
      "openai-organization": "org-1",
    });
  });

  test("may have a line end, and nothing else that no key has", async () => {
    server.script({ answer: { text: "ok" } });
    expect(await answers({}, { apiKey: `${KEY}\n` })).toBe("ok");
    const error = await fails({}, { apiKey: "sk-secret\nInjected: yes" });
    expect(error.code).toBe("config");
    expect(error.hint).toContain("the script");
    expect(JSON.stringify([error.message, error.data])).not.toContain("secret");
  });

  test.each([
    ["as it is", KEY],
    ["for a URL", encodeURIComponent(KEY)],
    ["in base64", btoa(KEY)],
  ])("that a server gives back %s is not told", async (_how, echo) => {
    server.script({ status: 400, message: `bad key ${echo}!` });
    const error = await fails();
    expect(error.message).toContain("bad key <REDACTED>!");
    server.script({ status: 200, body: `not json ${echo}` });
    expect((await fails()).message).not.toContain(echo);
  });
});

test("A proxy of the environment is used, and NO_PROXY goes past it", async () => {
  const asked: (string | undefined)[] = [];
  const proxy = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(418, { "content-type": "application/json" }).end('{"error":"a teapot"}');
  }).listen(0, "127.0.0.1");
  const env = { HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  server.script({ answer: { text: "direct" } });
  expect((await fails({ env })).message).toContain("a teapot (HTTP 418)");
  expect(asked).toEqual([`${server.origin}/v1/chat/completions`]);
  expect(await answers({ env: { ...env, NO_PROXY: "127.0.0.1" } })).toBe("direct");
  proxy.close();
});

describe("A certificate of a private authority", () => {
  test("is taken with ca_file, NODE_EXTRA_CA_CERTS or SSL_CERT_FILE, and refused without", async () => {
    using place = temporaryHome();
    const [key, cert] = ["key.pem", "cert.pem"].map((file) => join(place.directory, file)) as [
      string,
      string,
    ];
    await $`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${cert} -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`.quiet();
    const secure = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { key: Bun.file(key), cert: Bun.file(cert) },
      fetch: async (request) =>
        fetch(`${server.origin}${new URL(request.url).pathname}`, {
          method: "POST",
          headers: { authorization: request.headers.get("authorization")! },
          body: await request.text(),
        }),
    });
    const base = `https://localhost:${secure.port}/v1`;
    server.script({ answer: { text: "secure" } });
    expect((await fails({ base })).code).toBe("network");
    expect(await answers({ base, settings: `ca_file = "${cert}"` })).toBe("secure");
    expect(await answers({ base, env: { NODE_EXTRA_CA_CERTS: cert } })).toBe("secure");
    expect(await answers({ base, env: { SSL_CERT_FILE: cert } })).toBe("secure");
    const wrong = join(place.directory, "wrong.pem");
    writeFileSync(wrong, "hello");
    const error = await fails({ base, settings: `ca_file = "${wrong}"` });
    expect([error.code, error.message]).toEqual([
      "config",
      `Cannot use the certificates in '${wrong}': it must be a PEM file`,
    ]);
    secure.stop(true);
  });
});

describe("A rate limit", () => {
  const table = (name: string, key: string, more = "") => `[providers.${name}]
provider_type = "custom"
base_url = "${server.origin}/v1${name === "slash" ? "/" : ""}"
api_key = "${key}"
${more}
[providers.${name}.rate_limit]
requests_per_minute = 2
auto_retry = false
`;

  async function asks(toml: string, names: readonly string[]): Promise<string[]> {
    using home = temporaryHome();
    const { models } = await modelService(home, toml);
    const outcomes: string[] = [];
    for (const name of names) {
      const model = await models.resolve(`${name}/m`);
      const outcome = await Promise.resolve(model.doGenerate({ prompt: PROMPT })).then(
        () => "ok",
        (error: SpellError) => String(error.data.limit ?? error.data.statusCode),
      );
      outcomes.push(`${name} ${outcome}`);
    }
    return outcomes;
  }

  test("is shared by all tables that name the same service and key", async () => {
    server.script({ answer: { text: "ok" } });
    const key = `${KEY} one`.replace(" ", "-");
    const tables = ["first", "second", "slash"].map((name) => table(name, key)).join("");
    // the server refuses this key, and counts all the same
    expect(await asks(tables, ["first", "second", "slash", "first"])).toEqual([
      "first 401",
      "second 401",
      "slash rate_limit",
      "first rate_limit",
    ]);
  });

  test("is not shared between keys, organizations, and keys that stand in headers", async () => {
    server.script({ answer: { text: "ok" } });
    const tables = [
      table("a", "key-two-aaaa"),
      table("b", "key-two-bbbb"),
      table("c", "key-two-aaaa", 'organization_id = "org-1"'),
      table("d", "key-two-aaaa", 'headers = { "authorization" = "Bearer other" }'),
    ].join("");
    const all = ["a", "b", "c", "d"];
    expect(await asks(tables, [...all, ...all])).toEqual([...all, ...all].map((name) => `${name} 401`));
    expect(await asks(tables, all)).toEqual(all.map((name) => `${name} rate_limit`));
  });

  test("of tokens a minute holds requests back by what the vendor counted", async () => {
    server.script({ answer: { text: "ok", input: 900, output: 50 } });
    const limits = "[providers.box.rate_limit]\ntokens_per_minute = 1000\nauto_retry = false";
    await withModel(
      { settings: `max_tokens = 100\norganization_id = "org-tokens"\n${limits}` },
      async (ask) => {
        await ask();
        const error = await failure(() => ask());
        expect([error.code, error.message]).toEqual([
          "limit",
          "Cannot call provider 'box': tokens_per_minute is 1000",
        ]);
      },
    );
  });
});
