/** Expected behaviour: spec/cli.md section 13, spec/config.md section 2.2. */
import { describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../../src/core/log.ts";
import type { Keychain } from "../../../src/security/keys/keychain.ts";
import { openKeyStore } from "../../../src/security/keys/store.ts";
import { failure, type TestHome, temporaryHome } from "../../support/model-service.ts";

const KEY = "sk-0123456789abcdefghij-end1";

class MemoryKeychain implements Keychain {
  readonly held = new Map<string, string>();
  async get(name: string) {
    return this.held.get(name) ?? null;
  }
  async set(name: string, value: string) {
    this.held.set(name, value);
  }
}

const noKeychain: Keychain = {
  get: () => Promise.reject(new Error("there is none")),
  set: () => Promise.reject(new Error("there is none")),
};

const storeIn = (home: TestHome, keychain: Keychain = noKeychain) =>
  openKeyStore({ dataDirectory: home.data, env: home.env, log: silentLog, keychain });

const fileIn = (home: TestHome) => join(home.data, "keys");

describe("a key store", () => {
  test("gives a key back to a later process and keeps it out of its files", async () => {
    using home = temporaryHome();
    await storeIn(home).add("OpenAI", KEY);
    expect(await storeIn(home).reveal("openai")).toBe(KEY);
    expect(await storeIn(home).masked()).toEqual({ openai: "sk-…end1" });
    for (const name of ["keys", "keys.key"]) {
      expect(statSync(join(home.data, name)).mode & 0o777).toBe(0o600);
      const text = readFileSync(join(home.data, name), "utf8");
      expect(text).not.toContain(KEY);
      expect(text).not.toContain(Buffer.from(KEY).toString("base64").slice(0, 20));
    }
  });

  test("puts its secret into the keychain only where somebody is there to unlock it", async () => {
    using home = temporaryHome();
    const keychain = new MemoryKeychain();
    await storeIn(home, keychain).add("a", KEY, { interactive: true });
    expect(keychain.held.size).toBe(1);
    expect(storeIn(home, keychain).list()[0]).toMatchObject({ source: "keychain" });
    expect(await storeIn(home, keychain).reveal("a")).toBe(KEY);
    expect((await failure(() => storeIn(home).reveal("a"))).message).toBe(
      "Cannot open the stored keys: there is none",
    );

    using unattended = temporaryHome();
    const untouched = new MemoryKeychain();
    await storeIn(unattended, untouched).add("a", KEY);
    expect(untouched.held.size).toBe(0);
    expect(storeIn(unattended).list()[0]).toMatchObject({ source: "file" });
  });

  test("falls back to a key file where the keychain refuses", async () => {
    using home = temporaryHome();
    await storeIn(home, noKeychain).add("a", KEY, { interactive: true });
    expect(await storeIn(home).reveal("a")).toBe(KEY);
  });

  test("opens with the passphrase it was made with and no other", async () => {
    using home = temporaryHome();
    const withPassphrase = (text: string) => {
      home.env.LLMSPELL_KEYS_PASSPHRASE = text;
      return storeIn(home);
    };
    await withPassphrase("correct horse").add("a", KEY);
    expect(await withPassphrase("correct horse").reveal("a")).toBe(KEY);
    expect(await failure(() => withPassphrase("wrong").reveal("a"))).toMatchObject({
      code: "config",
      message:
        "Cannot open the stored keys: LLMSPELL_KEYS_PASSPHRASE holds another passphrase than they were stored with",
    });
    expect(await failure(() => withPassphrase("wrong").add("b", KEY))).toMatchObject({ code: "config" });
    delete home.env.LLMSPELL_KEYS_PASSPHRASE;
    expect((await failure(() => storeIn(home).reveal("a"))).message).toContain("is not set");
    // What needs no secret still works.
    expect(
      storeIn(home)
        .list()
        .map(({ provider }) => provider),
    ).toEqual(["a"]);
  });

  test("does not take one provider's key for another's, though their sealed texts change places", async () => {
    using home = temporaryHome();
    const store = storeIn(home);
    await store.add("a", `${KEY}a`);
    await store.add("b", `${KEY}b`);
    const document = JSON.parse(readFileSync(fileIn(home), "utf8"));
    const [a, b] = document.keys;
    [a.sealed, b.sealed] = [b.sealed, a.sealed];
    writeFileSync(fileIn(home), JSON.stringify(document));
    expect((await failure(() => store.reveal("a"))).message).toBe(
      "Cannot use the stored key of a: it is damaged",
    );
  });

  test("refuses an expired key and says when it expired", async () => {
    using home = temporaryHome();
    const store = storeIn(home);
    await store.add("a", KEY, { expiresInDays: 1 });
    const document = JSON.parse(readFileSync(fileIn(home), "utf8"));
    expect(Date.parse(document.keys[0].expires_at) - Date.parse(document.keys[0].created_at)).toBeWithin(
      86_399_000,
      86_401_000,
    );
    document.keys[0].expires_at = "2020-01-01T00:00:00.000Z";
    writeFileSync(fileIn(home), JSON.stringify(document));
    expect(store.find("a")).toMatchObject({ isActive: false });
    expect(await failure(() => store.reveal("a"))).toMatchObject({
      code: "config",
      message: "Cannot use the stored key of a: it expired on 2020-01-01T00:00:00.000Z",
    });
  });

  test("counts the processes that use a key, and when it was used last", async () => {
    using home = temporaryHome();
    await storeIn(home).add("a", KEY);
    const first = storeIn(home);
    await first.reveal("a");
    await first.reveal("a");
    await storeIn(home).reveal("a");
    const [info] = storeIn(home).list();
    expect(info!.usageCount).toBe(2);
    expect(Date.parse(info!.lastUsed!)).toBeGreaterThanOrEqual(Date.parse(info!.createdAt));
    expect(
      storeIn(home)
        .audit(2)
        .map(({ action }) => action),
    ).toEqual(["use", "use"]);
  });

  test("rotates only what is there", async () => {
    using home = temporaryHome();
    const store = storeIn(home);
    await store.add("openai", KEY);
    const { keyId } = store.find("openai")!;
    expect((await store.rotate("openai", `${KEY}2`)).keyId).not.toBe(keyId);
    expect(await store.reveal("openai")).toBe(`${KEY}2`);
    expect(await failure(() => store.rotate("opnai", KEY))).toMatchObject({
      code: "not_found",
      hint: 'Did you mean "openai"?',
    });
  });

  test("refuses what is no key, without repeating it", async () => {
    using home = temporaryHome();
    const store = storeIn(home);
    for (const key of ["", "two words", "line\nend", "x".repeat(8193)]) {
      const { code, message } = await failure(() => store.add("a", key));
      expect(code).toBe("invalid_argument");
      if (key !== "") expect(message).not.toContain(key);
    }
    expect((await failure(() => store.add("sk/..", KEY))).code).toBe("invalid_argument");
    expect(store.list()).toEqual([]);
  });

  test.each([
    ["a torn write", (text: string) => text.slice(0, text.length / 2)],
    ["an empty file", () => ""],
    ["another document", () => "[]"],
    ["a missing field", (text: string) => text.replace('"created_at"', '"created"')],
  ] as const)("does not write over %s", async (_what, damage) => {
    using home = temporaryHome();
    const store = storeIn(home);
    await store.add("a", KEY);
    const damaged = damage(readFileSync(fileIn(home), "utf8"));
    writeFileSync(fileIn(home), damaged);
    for (const attempt of [() => store.add("b", KEY), () => store.reveal("a"), () => store.remove("a")])
      expect((await failure(attempt)).message).toStartWith("Cannot read the key store: it is damaged");
    expect(readFileSync(fileIn(home), "utf8")).toBe(damaged);
  });

  test("tells that the key file is another one", async () => {
    using home = temporaryHome();
    const store = storeIn(home);
    await store.add("a", KEY);
    const key = readFileSync(join(home.data, "keys.key"));
    writeFileSync(join(home.data, "keys.key"), Buffer.from("x".repeat(32)).toString("base64"));
    expect((await failure(() => store.reveal("a"))).message).toContain("the key file is another one");
    writeFileSync(join(home.data, "keys.key"), key);
    expect(await store.reveal("a")).toBe(KEY);
  });

  test("a use that cannot be recorded does not stand in the way", async () => {
    if (process.getuid?.() === 0) return; // root writes everywhere
    using home = temporaryHome();
    await storeIn(home).add("a", KEY);
    chmodSync(home.data, 0o500);
    expect(await storeIn(home).reveal("a")).toBe(KEY);
    chmodSync(home.data, 0o700);
  });
});
