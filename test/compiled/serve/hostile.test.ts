/** Clients that mean harm or have failed: the server stays, its memory is bounded, others are answered. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Sandbox } from "../../support/cli.ts";
import { uniform } from "../../support/random.ts";
import { RawConnection, rawRequest } from "../../support/raw-http.ts";
import { type Served, serve } from "../../support/serve.ts";

const box = new Sandbox();
let server: Served;

beforeAll(async () => {
  server = await serve(box, ["--max-requests", "4"]);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  box[Symbol.dispose]();
});

const LIMIT_BYTES = 16 * 1024 * 1024;
const json = { host: "localhost", "content-type": "application/json" };
const chat = (more: object) =>
  JSON.stringify({ model: "spell-mini", messages: [{ role: "user", content: "Hello" }], ...more });
/** Hundreds of tokens. */
const LONG = {
  max_tokens: 900,
  response_format: {
    type: "json_schema",
    json_schema: {
      name: "long",
      schema: { type: "array", items: { type: "boolean" }, minItems: 300, maxItems: 300 },
    },
  },
};
const request = (body: string, headers: Record<string, string> = {}) =>
  `POST /v1/chat/completions HTTP/1.1\r\n${Object.entries({ ...json, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const residentBytes = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) * 1024;

async function answers(): Promise<void> {
  const body = chat({ temperature: 0 });
  for (;;) {
    const answer = await rawRequest(server.port, {
      method: "POST",
      path: "/v1/chat/completions",
      headers: json,
      body,
    });
    if (answer.status === 429) continue; // a client that left a moment ago
    expect(answer.status).toBe(200);
    expect(answer.body).toContain("Hello! How can I help you?");
    return;
  }
}

describe("too much", () => {
  test("a body above the limit gets 413, said or sent", async () => {
    const said = await RawConnection.open(server.port);
    said.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${LIMIT_BYTES + 1}\r\n\r\n{`,
    );
    const first = await said.answer();
    expect(first.status).toBe(413);
    expect(JSON.parse(first.body).error.code).toBe("request_too_large");

    const absurd = await RawConnection.open(server.port);
    absurd.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n{`,
    );
    expect((await absurd.answer()).status).toBe(413);

    const sent = await RawConnection.open(server.port);
    sent.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const piece = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    for (let i = 0; i < 20; i++) sent.send(piece);
    expect((await sent.answer()).status).toBe(413);
    await answers();
  });

  test("headers above the limit get 431", async () => {
    const answer = await rawRequest(server.port, { headers: { host: "localhost", x: "y".repeat(100_000) } });
    expect(answer.status).toBe(431);
  });

  test("requests above the limit get 429 and a time to try again", async () => {
    const running = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.port)));
    for (const connection of running) connection.send(request(chat({ ...LONG, stream: true })));
    while (!running.every(({ text }) => text.includes("data:"))) await Bun.sleep(5);
    const answer = await rawRequest(server.port, { headers: { host: "localhost" } });
    expect(answer.status).toBe(429);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(JSON.parse(answer.body).error.type).toBe("rate_limit_error");
    for (const connection of running) connection.close();
    await answers();
  });
});

describe("odd clients", () => {
  test("bytes that are no HTTP get 400 or are cut off", async () => {
    const random = uniform(11);
    for (let i = 0; i < 200; i++) {
      const connection = await RawConnection.open(server.port);
      const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 400) }, () =>
        Math.floor(random() * 256),
      );
      connection.send(bytes);
      connection.send("\r\n\r\n\r\n\r\n");
      const { status } = await connection.answer();
      expect([400, 431, 505, Number.NaN]).toContain(status);
    }
    await answers();
  });

  test("two lengths, or a length and chunks, are refused: no request is smuggled", async () => {
    for (const lengths of [
      "content-length: 5\r\ncontent-length: 6",
      "content-length: 5\r\ntransfer-encoding: chunked",
      "content-length: -1",
      "content-length: 5x",
    ]) {
      const connection = await RawConnection.open(server.port);
      connection.send(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n${lengths}\r\n\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n`,
      );
      const { status } = await connection.answer();
      expect([lengths, status]).toEqual([lengths, 400]);
      expect(connection.text).not.toContain("owned_by");
    }
  });

  test("those that send nothing, or a byte now and then, are cut off; others are answered meanwhile", async () => {
    const slow = await Promise.all(Array.from({ length: 30 }, () => RawConnection.open(server.port)));
    slow.forEach((connection, i) => {
      if (i % 3 === 1) connection.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n");
      if (i % 3 === 2)
        connection.send(
          "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{",
        );
    });
    const drip = setInterval(() => {
      slow.forEach((connection, i) => {
        if (i % 3 > 0) connection.send("x");
      });
    }, 500);
    // bodies that do not come hold places of requests: of the ten, four are read and six get 429 at once
    const refused = slow.filter((_, i) => i % 3 === 2);
    await Promise.race([Promise.all(refused.map((connection) => connection.closed())), Bun.sleep(1000)]);
    expect((await rawRequest(server.port, { path: "/health", headers: { host: "localhost" } })).status).toBe(
      200,
    );
    await Promise.all(slow.map((connection) => connection.closed()));
    clearInterval(drip);
    await answers();
  }, 120_000);

  test("1,000 connections at once are held, and a request among them is answered", async () => {
    const before = residentBytes();
    const connections = await Promise.all(
      Array.from({ length: 1000 }, () => RawConnection.open(server.port)),
    );
    for (const connection of connections) connection.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n");
    await answers();
    expect(residentBytes() - before).toBeLessThan(64 * 1024 * 1024);
    for (const connection of connections) connection.close();
    await answers();
  });

  test("a client that leaves ends its answer: its place is free at once", async () => {
    for (let round = 0; round < 30; round++) {
      const leaving = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.port)));
      for (const [i, connection] of leaving.entries())
        connection.send(request(chat({ ...LONG, stream: i % 2 === 0 })));
      await Bun.sleep(round);
      for (const connection of leaving) connection.close();
    }
    await answers();
  }, 120_000);
});
