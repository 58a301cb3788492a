import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { stateWith } from "./support.ts";

const KEY = Buffer.alloc(32, 7).toString("base64");
const OTHER = Buffer.alloc(32, 8).toString("hex");
const encrypted = (scopes = ["*"]) => ({ encryption: { enabled: true, scopes, keychain: false } });

async function failure(work: Promise<unknown>): Promise<SpellError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof SpellError)) throw new Error(`No SpellError: ${String(error)}`);
  return error;
}

describe("Encrypted state", () => {
  test("cannot be read in the database, and comes back with the key", async () => {
    const storage = await openStorage(":memory:");
    const state = await stateWith({ storage, settings: encrypted(), env: { LLMSPELL_STATE_KEY: KEY } });
    const value = { text: "plain words", list: [1, 2n ** 60n] };
    await state.save("user:bob", "k", value);
    const stored = (await state.raw.backend.get("user:bob:k"))!.value;
    expect(Buffer.from(stored).includes("plain words")).toBe(false);
    expect(await state.load("user:bob", "k")).toEqual(value);
  });

  test("is encrypted for the scopes that are named alone", async () => {
    const state = await stateWith({
      settings: encrypted(["agent", "user:bob"]),
      env: { LLMSPELL_STATE_KEY: KEY },
    });
    for (const scope of ["agent:x", "user:bob", "user:eve", "global"]) await state.save(scope, "k", "words");
    const records = await state.raw.backend.list("");
    expect(records.map(({ key, value }) => [key, Buffer.from(value).includes("words")])).toEqual([
      ["agent:x:k", false],
      ["global:k", true],
      ["user:bob:k", false],
      ["user:eve:k", true],
    ]);
  });

  test("with another key or none gives a clear error, and nothing is changed", async () => {
    const storage = await openStorage(":memory:");
    const owner = await stateWith({ storage, settings: encrypted(), env: { LLMSPELL_STATE_KEY: KEY } });
    await owner.save("global", "k", "mine");
    const stranger = await stateWith({ storage, settings: encrypted(), env: { LLMSPELL_STATE_KEY: OTHER } });
    const wrong = await failure(stranger.load("global", "k"));
    expect([wrong.code, wrong.message]).toEqual([
      "config",
      'Cannot read state: it was encrypted with another key: "global:k"',
    ]);
    const keyless = await stateWith({ storage });
    const missing = await failure(keyless.load("global", "k"));
    expect([missing.code, missing.message]).toEqual([
      "config",
      'Cannot read state: it is encrypted, and no key is set: "global:k"',
    ]);
    expect(await owner.load("global", "k")).toBe("mine");
  });

  test("that was changed, or moved to another key, is refused", async () => {
    const state = await stateWith({ settings: encrypted(), env: { LLMSPELL_STATE_KEY: KEY } });
    await state.save("global", "a", "value of a");
    const { value } = (await state.raw.backend.get("global:a"))!;
    const flipped = value.slice();
    flipped[flipped.length - 20]! ^= 1;
    const schemaVersion = "1.0.0";
    await state.raw.backend.apply([
      { type: "set", key: "global:b", value, schemaVersion },
      { type: "set", key: "global:a", value: flipped, schemaVersion },
    ]);
    for (const key of ["a", "b"])
      expect((await failure(state.load("global", key))).message).toBe(
        `Cannot read state: the encrypted value is damaged: "global:${key}"`,
      );
  });

  test("stays readable when encryption is switched off and the key is still there", async () => {
    const storage = await openStorage(":memory:");
    const env = { LLMSPELL_STATE_KEY: KEY };
    await (await stateWith({ storage, settings: encrypted(), env })).save("global", "k", "words");
    const state = await stateWith({ storage, env });
    expect(await state.load("global", "k")).toBe("words");
    await state.save("global", "k", "words");
    expect(Buffer.from((await state.raw.backend.get("global:k"))!.value).includes("words")).toBe(true);
  });
});

describe("The key", () => {
  test("may stand in a file, as text or as its 32 bytes", async () => {
    const directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
    const storage = await openStorage(":memory:");
    for (const [name, content] of [
      ["text", `${KEY}\n`],
      ["bytes", Buffer.alloc(32, 7)],
      ["digits", "07".repeat(32)],
    ] as const) {
      const key_file = join(directory, name);
      writeFileSync(key_file, content);
      const state = await stateWith({
        storage,
        settings: { encryption: { ...encrypted().encryption, key_file } },
      });
      if (name === "text") await state.save("global", "k", "words");
      expect(await state.load("global", "k")).toBe("words");
    }
    rmSync(directory, { recursive: true });
  });

  test.each([["short"], ["!".repeat(44)], [Buffer.alloc(16).toString("base64")]])(
    "%j is refused without being shown",
    async (key) => {
      const error = await failure(stateWith({ settings: encrypted(), env: { LLMSPELL_STATE_KEY: key } }));
      expect([error.code, error.message, error.hint]).toEqual([
        "config",
        "Cannot read the key of encrypted state: it must be 32 bytes in base64 or hexadecimal: LLMSPELL_STATE_KEY",
        "Make one with: openssl rand -base64 32",
      ]);
    },
  );

  test("must be there when encryption is switched on", async () => {
    expect((await failure(stateWith({ settings: encrypted() }))).message).toBe(
      "Cannot encrypt state: no key is set",
    );
  });
});
