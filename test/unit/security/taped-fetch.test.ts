/** Requests of a recorded run against a real server, then of its replay with the server gone. */
import { afterAll, describe, expect, test } from "bun:test";
import { tapeWith } from "../../../src/core/tape.ts";
import { type FetchOptions, fetchChecked } from "../../../src/security/network/fetch.ts";
import { TapePlace } from "../tape/support.ts";

const TOKEN = "token-of-the-caller-42";
let asked = 0;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    asked++;
    const { pathname } = new URL(request.url);
    if (pathname === "/moved") return new Response(null, { status: 302, headers: { Location: "/here" } });
    if (pathname === "/bytes") return new Response(new Uint8Array([0, 255, 128, 10]));
    if (pathname === "/gone") return new Response("no such thing", { status: 404 });
    if (pathname === "/echo")
      return new Response(`${await request.text()} ${request.headers.get("authorization")}`, {
        headers: { "Set-Cookie": "session=abcdefghijkl", "X-Answer": "yes" },
      });
    return Response.json({ number: asked });
  },
});
afterAll(() => server.stop(true));

const options = (more: Partial<FetchOptions> = {}): FetchOptions => ({
  rules: { enabled: true, allowed: [], ownHosts: [server.url.host] },
  env: {},
  maxRedirects: 3,
  isTaped: true,
  signal: new AbortController().signal,
  ...more,
});

async function visit(origin: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  const get = async (path: string, more: Partial<FetchOptions> = {}) => {
    const { response, url } = await fetchChecked(new URL(path, origin), options(more));
    const body = new Uint8Array(await response.arrayBuffer());
    seen.push([
      response.status,
      url.pathname,
      response.headers.get("x-answer"),
      Buffer.from(body).toString("latin1"),
    ]);
  };
  await get("/count?api_key=hidden-in-the-address");
  await get("/count?api_key=hidden-in-the-address");
  await get("/moved");
  await get("/bytes");
  await get("/gone");
  const secret = { origin, headers: { Authorization: `Bearer ${TOKEN}` } };
  await get("/echo", { method: "POST", body: "hello", maxRedirects: 0, secret });
  return seen;
}

describe("HTTP of a run", () => {
  test("is recorded at the one place that goes out, and replayed without it", async () => {
    using place = new TapePlace();
    const { origin } = server.url;
    let recorded: unknown[];
    {
      using tape = place.recorder();
      using _ = tapeWith(tape);
      recorded = await visit(origin);
    }
    expect(recorded).toEqual([
      [200, "/count", null, '{"number":1}'],
      [200, "/count", null, '{"number":2}'],
      [200, "/here", null, expect.stringContaining("number")],
      [200, "/bytes", null, "\0\xff\x80\n"],
      [404, "/gone", null, "no such thing"],
      [200, "/echo", "yes", `hello Bearer ${TOKEN}`],
    ]);
    for (const secret of [TOKEN, "hidden-in-the-address", "abcdefghijkl"])
      expect(place.text).not.toContain(secret);
    const before = asked;
    using replay = place.player();
    using _ = tapeWith(replay);
    const replayed = await visit(origin);
    expect(asked).toBe(before);
    expect(replayed.slice(0, 5)).toEqual(recorded.slice(0, 5));
    // the answer told the secret, so the recording cannot
    expect(replayed[5]).toEqual([200, "/echo", "yes", "hello [REDACTED]"]);
    const error = await fetchChecked(new URL("/other", origin), options()).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "not_found" });
    const download = await fetchChecked(new URL("/count", origin), options({ isTaped: false })).catch(
      (e) => e,
    );
    expect(download).toMatchObject({
      code: "network",
      message: expect.stringContaining("a replay sends nothing"),
    });
    expect(asked).toBe(before);
  });
});
