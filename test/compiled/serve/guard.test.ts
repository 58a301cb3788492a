/** Who is let in and what is refused, asked by plain sockets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { RawConnection, rawRequest } from "../../support/raw-http.ts";
import { type Served, serve } from "../../support/serve.ts";

const TOKEN = "0123456789abcdef-Token";
const ORIGIN = "https://example.org";

const box = new Sandbox();
let open: Served;
let closed: Served;

beforeAll(async () => {
  [open, closed] = await Promise.all([
    serve(box),
    serve(box, ["--allow-origin", ORIGIN, "--allow-host", "models.lan"], {
      env: { LLMSPELL_SERVE_TOKEN: TOKEN },
    }),
  ]);
});

afterAll(async () => {
  await Promise.all([open[Symbol.asyncDispose](), closed[Symbol.asyncDispose]()]);
  box[Symbol.dispose]();
});

const host = "localhost";
const authorization = `Bearer ${TOKEN}`;
const json = { host, "content-type": "application/json" };
const HELLO = JSON.stringify({
  model: "spell-mini",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 3,
});
const errorOf = (body: string) =>
  (JSON.parse(body) as { error: { type: string; code: string; param: string | null } }).error;

describe("the Host header", () => {
  test.each([
    "localhost",
    "localhost:1",
    "LOCALHOST.",
    "127.0.0.1:8080",
    "[::1]:80",
    "192.168.1.5",
    "models.lan:443",
  ])("%s names this server", async (name) => {
    const answer = await rawRequest(closed.port, { headers: { host: name, authorization } });
    expect(answer.status).toBe(200);
  });

  test.each([
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:8080",
    "localhost, a",
    "a@localhost",
    "",
  ])("'%s' names another", async (name) => {
    const answer = await rawRequest(closed.port, { headers: { host: name, authorization } });
    expect([400, 403]).toContain(answer.status);
    expect(answer.body).not.toContain("spell-mini");
  });

  test("given twice or not at all is refused", async () => {
    expect((await rawRequest(open.port)).status).toBe(400);
    const twice = await RawConnection.open(open.port);
    twice.send(
      "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect([400, 403]).toContain((await twice.answer()).status);
  });
});

describe("the Origin header", () => {
  const preflight = {
    host,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
  };

  test("of a page that was not named is refused, with no word a page could read", async () => {
    for (const origin of ["http://localhost:3000", "null", `${ORIGIN}.evil.example`, "http://example.org"]) {
      for (const request of [
        { headers: { host, origin, authorization } },
        { method: "OPTIONS", path: "/v1/chat/completions", headers: { ...preflight, origin } },
      ]) {
        const answer = await rawRequest(closed.port, request);
        expect(answer.status).toBe(403);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
    expect((await rawRequest(open.port, { headers: { host, origin: ORIGIN } })).status).toBe(403);
  });

  test("of a named page is answered, so that the page may read it", async () => {
    const asked = await rawRequest(closed.port, {
      method: "OPTIONS",
      path: "/v1/chat/completions",
      headers: { ...preflight, origin: ORIGIN },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      "access-control-allow-origin": ORIGIN,
      "access-control-allow-headers": "authorization,content-type,x-stainless-os",
      vary: "Origin",
    });
    const refused = await rawRequest(closed.port, { headers: { host, origin: ORIGIN } });
    expect(refused.status).toBe(401);
    const answer = await rawRequest(closed.port, { headers: { host, origin: ORIGIN, authorization } });
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe(ORIGIN);
  });
});

describe("the token", () => {
  test("missing, wrong or sent otherwise is refused before anything else is told", async () => {
    const wrong = [
      "",
      "Bearer",
      "Bearer ",
      TOKEN,
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
    ];
    for (const value of wrong) {
      for (const path of ["/v1/models", "/v1/chat/completions", "/nowhere"]) {
        const headers = value === "" ? { host } : { host, authorization: value };
        const answer = await rawRequest(closed.port, { path, headers });
        expect(answer.status).toBe(401);
        expect(errorOf(answer.body)).toMatchObject({
          type: "invalid_request_error",
          code: "invalid_api_key",
        });
        expect(answer.body).not.toContain(TOKEN);
      }
    }
  });

  test("is not needed to ask whether the server is well", async () => {
    const answer = await rawRequest(closed.port, { path: "/health", headers: { host } });
    expect([answer.status, answer.body]).toEqual([200, '{"status":"ok"}']);
  });
});

describe("what is asked", () => {
  test("paths, methods and types that are not there have their statuses", async () => {
    const post = { method: "POST", path: "/v1/chat/completions", body: HELLO };
    const statuses: [number, object][] = [
      [404, { path: "/", headers: { host } }],
      [404, { path: "/v1/models/none", headers: { host } }],
      [404, { path: "/v1/../etc/passwd", headers: { host } }],
      [400, { path: "/v1/models/%ff", headers: { host } }],
      [405, { path: "/v1/chat/completions", headers: { host } }],
      [405, { ...post, path: "/v1/models", headers: json }],
      [415, { ...post, headers: { host } }],
      [415, { ...post, headers: { host, "content-type": "text/plain" } }],
      [200, { ...post, headers: { host, "content-type": "Application/JSON; charset=utf-8" } }],
    ];
    for (const [status, request] of statuses) {
      const answer = await rawRequest(open.port, request);
      expect([request, answer.status]).toEqual([request, status]);
      if (status !== 200) expect(errorOf(answer.body).type).toBe("invalid_request_error");
    }
  });

  test("bodies that are no request are refused", async () => {
    const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
    const bodies = [
      "[]",
      "5",
      "{",
      '{"model"',
      "\u0000",
      `{"model":"spell-mini","messages":${deep}}`,
      '{"model":"spell-mini","messages":[{"role":"user","content":"\\ud800"}]}',
    ];
    for (const body of bodies) {
      const answer = await rawRequest(open.port, {
        method: "POST",
        path: "/v1/chat/completions",
        headers: json,
        body,
      });
      expect([body.slice(0, 40), answer.status]).toEqual([body.slice(0, 40), 400]);
    }
  });

  test("a failure names no path of this machine", async () => {
    box.write("../home/.llmspell/models/llamacpp/broken/q8_0/broken.gguf", "GGUF and no more");
    const body = HELLO.replace("spell-mini", "broken:q8_0");
    const answer = await rawRequest(open.port, {
      method: "POST",
      path: "/v1/chat/completions",
      headers: json,
      body,
    });
    expect(errorOf(answer.body).code).toBe("model_invalid");
    expect(answer.body).not.toContain(box.root);
  });
});
