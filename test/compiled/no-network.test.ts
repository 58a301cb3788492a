/** On a machine without any network: all works but fetching, which fails at once and tells the way around it. */
import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";

const APART = ["unshare", "-rn"];
const canBeApart = Bun.spawnSync([...APART, "true"], { stderr: "ignore" }).success;
const hasStrace = Bun.which("strace") !== null;

async function run(box: Sandbox, before: readonly string[], args: readonly string[]) {
  const command = [...before, EXECUTABLE, ...args];
  const proc = Bun.spawn(command, { cwd: box.cwd, env: box.env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([proc.stdout.text(), proc.stderr.text(), proc.exited]);
  return { code, stdout, stderr };
}

const ASK = `print(Agent.builder():name("x"):model("local/spell-mini"):build():execute("Hello").text)`;

const WORKING = [
  ["exec", ASK],
  ["tool", "list"],
  ["model", "available"],
  ["model", "import", "m.gguf", "--name", "m:x"],
  ["model", "info", "m"],
  ["model", "export", "m", "m.tar"],
  ["model", "pull", "m:x"], // it is there
  ["model", "remove", "m", "--yes"],
  ["model", "import", "m.tar"],
  ["model", "list"],
  ["model", "status"],
  ["providers", "list"],
  ["providers", "test", "local"],
  ["config", "show"],
  ["doctor"],
];

describe.skipIf(!canBeApart)("Without a network", () => {
  test("commands work", async () => {
    using box = new Sandbox();
    copyFileSync(SPELL_MINI, join(box.cwd, "m.gguf"));
    for (const args of WORKING) {
      const { code, stderr } = await run(box, APART, args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
    }
  });

  test.each([
    ["pull", "acme/tiny"],
    ["pull", "llama3:8b"],
    ["pull", "tinyllama"],
    ["available", "qwen"],
    ["available", "acme/tiny"],
  ])("model %s %s fails and says how a model gets here", async (command, model) => {
    using box = new Sandbox();
    const { code, stdout, stderr } = await run(box, APART, ["model", command, model]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("Cannot resolve the name of the host");
    expect(stderr).toContain("llmspell model import FILE");
  });
});

/**
 * What of a trace goes beyond this machine: sockets of another family than the system's own (AF_UNIX), and what is sent to
 * an address. Output that Bun sends through the pair of sockets it was started with names neither.
 */
const beyond = (trace: string): string[] =>
  trace.split("\n").filter((call) => /AF_(?!UNIX\b)\w+|sa_family=(?!AF_UNIX\b)/.test(call));

test.skipIf(!hasStrace)(
  "No command but pull and available opens a connection",
  async () => {
    using box = new Sandbox();
    copyFileSync(SPELL_MINI, join(box.cwd, "m.gguf"));
    const log = join(box.root, "trace");
    const calls = "trace=socket,connect,sendto,sendmsg,bind";
    for (const args of WORKING) {
      const strace = ["strace", "-f", "-qq", "-e", "signal=none", "-e", calls, "-o", log];
      const { code, stderr } = await run(box, strace, args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      expect({ args, calls: beyond(await Bun.file(log).text()) }).toEqual({ args, calls: [] });
    }
  },
  120_000,
);

test.skipIf(!hasStrace)("The look at a command's calls sees a connection where there is one", async () => {
  using box = new Sandbox();
  const log = join(box.root, "trace");
  const strace = ["strace", "-f", "-qq", "-e", "signal=none", "-e", "trace=socket,connect", "-o", log];
  const port = "9"; // nothing listens there
  const env = { ...box.env, HF_ENDPOINT: `http://127.0.0.1:${port}` };
  const command = [...strace, EXECUTABLE, "model", "available", "acme/tiny"];
  const proc = Bun.spawn(command, { cwd: box.cwd, env, stdout: "ignore", stderr: "ignore" });
  expect(await proc.exited).toBe(1);
  expect(beyond(await Bun.file(log).text()).join("\n")).toContain("AF_INET");
});
