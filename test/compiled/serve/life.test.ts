/** How the server begins and ends, and what it says. */
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { Sandbox } from "../../support/cli.ts";
import { RawConnection, rawRequest } from "../../support/raw-http.ts";
import { serve } from "../../support/serve.ts";

const TOKEN = "0123456789abcdef-Token";
const headers = { host: "localhost", "content-type": "application/json" };
const SECRET = "a word that stands in no log";

/** 300 tokens. */
const long = JSON.stringify({
  model: "spell-mini",
  messages: [{ role: "user", content: SECRET }],
  stream: true,
  max_tokens: 300,
  response_format: {
    type: "json_schema",
    json_schema: {
      name: "long",
      schema: { type: "array", items: { type: "boolean" }, minItems: 300, maxItems: 300 },
    },
  },
});
const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${long.length}\r\n\r\n${long}`;

async function begun(port: number): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.send(request);
  while (!connection.text.includes("data:")) await Bun.sleep(5);
  return connection;
}

function saidBy({ text }: RawConnection) {
  return {
    finish: /"finish_reason":"(stop|length)"/.test(text),
    done: text.includes("data: [DONE]"),
    error: text.includes('data: {"error"'),
  };
}

async function portIsClosed(port: number): Promise<void> {
  for (;;) {
    const connection = await RawConnection.open(port).catch(() => undefined);
    if (connection === undefined) return;
    connection.close();
    await Bun.sleep(5);
  }
}

describe("llmspell serve begins", () => {
  test("with a line that says where, in text and as one JSON document", async () => {
    using box = new Sandbox();
    const proc = box.start(["serve", "--port", "0"]);
    const { value } = await proc.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toMatch(/^Listening on http:\/\/127\.0\.0\.1:\d+\/v1\n$/);
    proc.kill("SIGTERM");
    expect(await proc.exited).toBe(143);

    await using server = await serve(box);
    server.signal("SIGTERM");
    const { stdout, code } = await server.ended;
    expect(code).toBe(143);
    expect(JSON.parse(stdout)).toEqual({
      status: "listening",
      url: `http://127.0.0.1:${server.port}/v1`,
      host: "127.0.0.1",
      port: server.port,
      pid: server.pid,
      token: false,
    });
  });

  test("not where the port is in use, and says what to do", async () => {
    using box = new Sandbox();
    await using server = await serve(box);
    const second = await box.run(["serve", "--port", String(server.port)]);
    expect(second.code).toBe(1);
    expect(second.stdout).toBe("");
    expect(second.stderr).toContain(`Cannot listen: the port is in use: 127.0.0.1:${server.port}`);
    expect(second.stderr).toContain("--port");
  });

  test("not for others without a token", async () => {
    using box = new Sandbox();
    for (const host of ["0.0.0.0", "::", "example.org", "192.0.2.1"]) {
      const done = await box.run(["serve", "--port", "0", "--host", host]);
      expect(done.code).toBe(1);
      expect(done.stderr).toContain("Cannot serve without a token");
    }
    await using server = await serve(box, ["--host", "0.0.0.0"], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
    const asked = { path: "/v1/models", headers: { host: "127.0.0.1", authorization: `Bearer ${TOKEN}` } };
    expect((await rawRequest(server.port, asked)).status).toBe(200);
  });

  test("with the token of a file, warning where others can read it", async () => {
    using box = new Sandbox();
    const file = box.write("token", `${TOKEN}\n`);
    for (const [mode, warned] of [
      [0o600, false],
      [0o644, true],
    ] as const) {
      chmodSync(file, mode);
      await using server = await serve(box, ["--token-file", "token"]);
      const ask = async (token: string) =>
        (await rawRequest(server.port, { headers: { ...headers, authorization: `Bearer ${token}` } })).status;
      expect([await ask(TOKEN), await ask("other")]).toEqual([200, 401]);
      server.signal("SIGTERM");
      expect((await server.ended).stderr.includes("other users")).toBe(warned);
    }
  });

  test("not with what cannot be meant", async () => {
    using box = new Sandbox();
    const wrong: [number, string[]][] = [
      [2, ["--port", "70000"]],
      [2, ["--port", "x"]],
      [2, ["--max-requests", "0"]],
      [2, ["--allow-origin", "example.org"]],
      [2, ["--allow-origin", "https://example.org/page"]],
      [2, ["--token-file", "short"]],
      [1, ["--token-file", "none"]],
      [1, ["--model", "none"]],
      [1, ["--host", "203.0.113.9", "--token-file", "good"]],
    ];
    chmodSync(box.write("good", TOKEN), 0o600);
    chmodSync(box.write("short", "1234"), 0o600);
    for (const [code, args] of wrong) {
      const done = await box.run(["serve", "--port", "0", ...args]);
      expect([args, done.code]).toEqual([args, code]);
      expect(done.stderr).toStartWith("Error: ");
      expect(done.stderr).toContain("Next: ");
      expect(done.stdout).toBe("");
    }
  });

  test("serves the models that were named, and no other", async () => {
    using box = new Sandbox();
    box.write("copy.gguf", await Bun.file("models/spell-mini/spell-mini.gguf").bytes());
    expect((await box.run(["model", "import", "copy.gguf", "--name", "copy:q8_0"])).code).toBe(0);
    await using server = await serve(box, ["--model", "local/copy:q8_0"]);
    const list = await rawRequest(server.port, { headers });
    expect(JSON.parse(list.body).data.map(({ id }: { id: string }) => id)).toEqual(["copy:q8_0"]);
    const ask = async (model: string) => {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }], max_tokens: 3 });
      return (await rawRequest(server.port, { method: "POST", path: "/v1/chat/completions", headers, body }))
        .status;
    };
    expect([await ask("copy:q8_0"), await ask("local/copy:q8_0"), await ask("spell-mini")]).toEqual([
      200, 200, 404,
    ]);
  });
});

describe("llmspell serve ends", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("on %s, when what it was saying is said", async (signal) => {
    using box = new Sandbox();
    const config = box.write("serve.toml", "[shutdown]\ngrace_period_secs = 50\n");
    await using server = await serve(box, ["--config", config]);
    const running = await begun(server.port);
    server.signal(signal);
    await portIsClosed(server.port);
    await running.closed();
    expect(saidBy(running)).toEqual({ finish: true, done: true, error: false });
    expect((await server.ended).code).toBe(signal === "SIGINT" ? 130 : 143);
  });

  test("after the grace time by cancelling, which the client is told", async () => {
    using box = new Sandbox();
    const config = box.write("serve.toml", "[shutdown]\ngrace_period_secs = 0\n");
    await using server = await serve(box, ["--config", config]);
    const running = await begun(server.port);
    server.signal("SIGTERM");
    await running.closed();
    expect(running.text.includes('"code":"shutting_down"')).toBe(true);
    expect(saidBy(running)).toEqual({ finish: false, done: false, error: true });
    expect((await server.ended).code).toBe(143);
  });

  test("at once on a second signal", async () => {
    using box = new Sandbox();
    await using server = await serve(box);
    const running = await begun(server.port);
    server.signal("SIGTERM");
    await portIsClosed(server.port);
    server.signal("SIGTERM");
    expect((await server.ended).code).toBe(143);
    await running.closed();
    expect(saidBy(running)).toEqual({ finish: false, done: false, error: false });
  });
});

test("no log line has what was asked, what was answered or the token", async () => {
  using box = new Sandbox();
  await using server = await serve(box, ["--trace", "trace"], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
  const asked = { ...headers, authorization: `Bearer ${TOKEN}` };
  const body = JSON.stringify({
    model: "spell-mini",
    messages: [{ role: "user", content: `Hello ${SECRET}` }],
    temperature: 0,
  });
  const answer = await rawRequest(server.port, {
    method: "POST",
    path: "/v1/chat/completions",
    headers: asked,
    body,
  });
  expect(answer.status).toBe(200);
  const said = JSON.parse(answer.body).choices[0].message.content as string;
  await rawRequest(server.port, { headers: { ...headers, authorization: "Bearer wrong-token-of-someone" } });
  server.signal("SIGTERM");
  const { stderr } = await server.ended;
  expect(stderr).toContain("request answered");
  for (const text of [SECRET, said, TOKEN, "wrong-token-of-someone"]) expect(stderr).not.toContain(text);
});
