import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import type { StateBackend } from "../../../src/state/backend.ts";
import { MemoryBackend } from "../../../src/state/backends/memory.ts";
import { PostgresBackend } from "../../../src/state/backends/postgres.ts";
import { SqliteBackend } from "../../../src/state/backends/sqlite.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { PostgresServer } from "../../support/postgres.ts";
import { backendCases, set } from "./backend-cases.ts";

describe("The memory backend", () => {
  const backend = new MemoryBackend();
  backendCases(
    () => backend,
    () => undefined,
  );
});

test("A copy in memory has records and notes of another backend, and goes its own way", async () => {
  const storage = await openStorage(":memory:");
  const real = new SqliteBackend(storage, false);
  await real.apply([set("global:a", "1"), set("$$note", "n"), set("global:b", "2")]);
  const copy = await MemoryBackend.copyOf(new SqliteBackend(storage, false));
  expect([await copy.keys(""), await copy.keys("$$")]).toEqual([["global:a", "global:b"], ["$$note"]]);
  expect(copy.get("global:a")).toEqual(real.get("global:a")!);
  const { version } = real.get("global:b")!;
  expect(await copy.apply([set("global:b", "own", { expected: version })])).toMatchObject({
    applied: true,
    versions: [version + 1],
  });
  await copy.apply([{ type: "delete", key: "global:a" }]);
  expect(real.keys("")).toEqual(["global:a", "global:b"]);
  expect(new TextDecoder().decode(real.get("global:b")!.value)).toBe("2");
  storage.close();
});

describe("The SQLite backend", () => {
  const directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
  let users: StateBackend[];
  beforeAll(async () => {
    users = [
      new SqliteBackend(await openStorage(directory), true),
      new SqliteBackend(await openStorage(directory), true),
    ];
  });
  afterAll(async () => {
    for (const user of users) await user.close();
    rmSync(directory, { recursive: true, force: true });
  });
  backendCases(
    () => users[0]!,
    () => users[1],
  );
});

describe("The PostgreSQL backend", () => {
  let server: PostgresServer;
  let users: PostgresBackend[];
  beforeAll(async () => {
    server = await PostgresServer.start();
    users = [new PostgresBackend(server.url), new PostgresBackend(server.url)];
    // Both make the tables at the same time.
    await Promise.all(users.map((user) => user.keys("")));
  }, 120_000);
  afterAll(async () => {
    for (const user of users) await user.close();
    await server[Symbol.asyncDispose]();
  });

  backendCases(
    () => users[0]!,
    () => users[1],
  );

  async function failure(url: string): Promise<SpellError> {
    const backend = new PostgresBackend(url, 500);
    try {
      const error = await Promise.resolve(backend.get("a:1")).then(
        () => undefined,
        (e: unknown) => e,
      );
      if (!(error instanceof SpellError)) throw new Error(`No SpellError: ${String(error)}`);
      return error;
    } finally {
      await backend.close();
    }
  }

  test("tells of a wrong password without showing it", async () => {
    const error = await failure(server.urlFor("spell", "wr0ng", "postgres"));
    expect([error.code, error.message]).toEqual([
      "config",
      `Cannot use PostgreSQL for state: the server refuses user or password: 127.0.0.1:${server.port}/postgres`,
    ]);
  });

  test("tells of a database that is not there", async () => {
    const error = await failure(server.urlFor("spell", "se/cret", "nowhere"));
    expect([error.code, error.message]).toEqual([
      "config",
      `Cannot use PostgreSQL for state: there is no such database: 127.0.0.1:${server.port}/nowhere`,
    ]);
  });

  test("goes on when the server was away for a while", async () => {
    const [user] = users;
    await user!.apply([set("a:1", "before")]);
    await server.stop();
    const reading = Promise.resolve(user!.get("a:1"));
    const writing = user!.apply([set("a:2", "meanwhile")]);
    await Bun.sleep(300);
    await server.run();
    expect(new TextDecoder().decode((await reading)!.value)).toBe("before");
    expect((await writing).applied).toBe(true);
    expect(await user!.keys("a:")).toEqual(["a:1", "a:2"]);
  }, 60_000);

  test("says so when the server stays away", async () => {
    await server.stop();
    const error = await failure(server.url);
    expect(error.code).toBe("network");
    expect(error.message).toContain("Cannot reach PostgreSQL for state");
    expect(error.message).not.toContain("cret");
    await server.run();
  }, 60_000);
});
