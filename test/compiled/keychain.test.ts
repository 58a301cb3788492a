/** Secrets in the operating system's keychain, on a real one. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { noKeychain, TestKeychain } from "../support/keychain.ts";
import { ProviderServer } from "../support/providers/server.ts";
import { KEY as VENDOR_KEY, VENDORS } from "../support/providers/vendors.ts";
import { Terminal } from "../support/terminal.ts";

const CONFIG = "[runtime.state_persistence.encryption]\nenabled = true\nkeychain = true\n";
const SECRET = "a sentence that no file may hold";
const KEY = "sk-0123456789abcdefghij-end1";

const openai = VENDORS.find(({ type }) => type === "openai")!;

const files = (directory: string): string[] =>
  (readdirSync(directory, { recursive: true, withFileTypes: true }) as import("node:fs").Dirent[])
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));

describe.skipIf(noKeychain !== undefined)(
  `The keychain${noKeychain === undefined ? "" : ` (skipped: ${noKeychain})`}`,
  () => {
    test("holds the key of encrypted state, for this process and the next", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      box.write("llmspell.toml", CONFIG);
      const exec = (code: string, env = keychain.env) =>
        box.run(["-c", "llmspell.toml", "exec", code], { env });
      expect(await exec(`State.save("global", "k", "${SECRET}")`)).toMatchObject({ code: 0, stderr: "" });
      expect(await exec('print(State.load("global", "k"))')).toMatchObject({
        code: 0,
        stdout: `${SECRET}\n`,
      });
      expect(files(join(box.home, ".llmspell")).some((text) => text.includes(SECRET))).toBe(false);
    });

    test("of somebody else does not open it, and changes nothing", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      await using other = await TestKeychain.start(box, "other");
      box.write("llmspell.toml", CONFIG);
      const exec = (code: string, env: Record<string, string>) =>
        box.run(["-c", "llmspell.toml", "exec", code], { env });
      await exec(`State.save("global", "k", "${SECRET}")`, keychain.env);
      const refused = await exec('print(State.load("global", "k"))', other.env);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/another key/);
      expect((await exec('print(State.load("global", "k"))', keychain.env)).stdout).toBe(`${SECRET}\n`);
    });

    test("gets one key from processes that begin at the same time", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      box.write("llmspell.toml", CONFIG);
      const exec = (code: string) => box.run(["-c", "llmspell.toml", "exec", code], { env: keychain.env });
      const all = Array.from({ length: 6 }, (_, i) => i + 1);
      const ends = await Promise.all(all.map((i) => exec(`State.save("global", "k${i}", ${i})`)));
      expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual(all.map(() => [0, ""]));
      const { stdout } = await exec(
        'local sum = 0 for i = 1, 6 do sum = sum + State.load("global", "k" .. i) end print(sum)',
      );
      expect(stdout).toBe("21\n");
    });

    test("holds the secret of stored API keys that a person adds", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      const { env } = keychain;
      const terminal = new Terminal(box, ["keys", "add", "openai"], { env });
      await terminal.answer("API key for openai: ", `${KEY}\r`);
      expect(await terminal.exited()).toBe(0);
      expect(existsSync(join(box.home, ".llmspell/keys.key"))).toBe(false);
      const listed = await box.run(["keys", "list", "--output", "json"], { env });
      expect(JSON.parse(listed.stdout)).toMatchObject({
        keys: [{ provider: "openai", masked: "sk-…end1", source: "keychain" }],
      });
      expect(await box.run(["keys", "add", "groq", KEY], { env })).toMatchObject({ code: 0, stderr: "" });
      const without = await box.run(["keys", "add", "xai", KEY]);
      expect([without.code, without.stdout]).toEqual([1, ""]);
      expect(without.stderr).toStartWith("Error: Cannot add the key: ");
    });

    test("gives the key that a person stored to the vendor, and to nobody where it is locked", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      await using server = await ProviderServer.start(openai.format);
      server.script({ answer: { text: "Hello" } });
      const terminal = new Terminal(box, ["keys", "add", "openai"], { env: keychain.env });
      await terminal.answer("API key for openai: ", `${VENDOR_KEY}\r`);
      expect(await terminal.exited()).toBe(0);
      const ask = `print(Agent.create{name = "a", model = "openai/gpt-4o-mini"}:execute("Hi").text)`;
      const endpoint = { LLMSPELL_OPENAI_ENDPOINT: `${server.origin}/v1` };
      expect(await box.lua(ask, { env: { ...keychain.env, ...endpoint } })).toMatchObject({
        code: 0,
        stdout: "Hello\n",
        stderr: "",
      });
      expect(server.seen[0]!.headers.authorization).toBe(`Bearer ${VENDOR_KEY}`);
      expect(files(join(box.home, ".llmspell")).some((text) => text.includes(VENDOR_KEY))).toBe(false);
      server.script({ answer: { text: "Hello" } });
      const locked = await box.lua(ask, { env: endpoint });
      expect([locked.code, locked.stdout, server.seen.length]).toEqual([1, "", 0]);
      expect(locked.stderr).not.toContain(VENDOR_KEY);
    });

    test("is not used for API keys where nobody is there to unlock it", async () => {
      using box = new Sandbox();
      await using keychain = await TestKeychain.start(box, "keychain");
      await box.run(["keys", "add", "openai", KEY], { env: keychain.env });
      expect(existsSync(join(box.home, ".llmspell/keys.key"))).toBe(true);
    });

    test("that is not there is named with what to do", async () => {
      using box = new Sandbox();
      box.write("llmspell.toml", CONFIG);
      const done = await box.run(["-c", "llmspell.toml", "exec", 'State.save("global", "k", 1)'], {
        env: { DBUS_SESSION_BUS_ADDRESS: `unix:path=${box.tmp}/none` },
      });
      expect(done.code).toBe(1);
      expect(done.stderr).toContain("the keychain cannot be used");
      expect(done.stderr).toContain("Set LLMSPELL_STATE_KEY or key_file instead");
    });
  },
);
