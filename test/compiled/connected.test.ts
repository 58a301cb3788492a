/** The same commands in a process of their own and in a kernel that runs: the documents are the same, byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Finished, type RunOptions, Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { HubBox } from "../support/hub/box.ts";
import { BlobServer, HuggingFaceServer } from "../support/hub/hubs.ts";

const sandbox = new HubBox();
const mini = readFileSync(SPELL_MINI);
let blobs: BlobServer;
let hub: HuggingFaceServer;
const KERNEL = ["--kernel", "here"];
/** Of the kernel and of commands that work in their own process. */
const CONFIGURATION = { LLMSPELL_CONFIG: "my.toml" };
let kernel: ReturnType<Sandbox["start"]>;

beforeAll(async () => {
  blobs = await new BlobServer().start();
  hub = await new HuggingFaceServer(
    { "acme/tiny-GGUF": { files: { "tiny.Q8_0.gguf": mini } } },
    blobs,
  ).start();
  sandbox.configure({ hub: hub.origin });
  kernel = sandbox.start(["kernel", "start", "--port", "0", "--id", "here"], { env: CONFIGURATION });
  const reader = kernel.stdout.getReader();
  let said = "";
  while (!said.includes("started on")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The kernel did not start: ${await new Response(kernel.stderr).text()}`);
    said += new TextDecoder().decode(value);
  }
  void reader.cancel();
});
afterAll(async () => {
  kernel.kill("SIGTERM");
  await kernel.exited;
  await Promise.all([hub, blobs].map((server) => server[Symbol.asyncDispose]()));
  sandbox[Symbol.dispose]();
});

const connectionFile = () => join(sandbox.home, ".llmspell/kernels/kernel-here.json");
const connection = () => JSON.parse(readFileSync(connectionFile(), "utf8"));

/** Times, ids and the mode are what may differ. */
function comparable({ code, stdout, stderr }: Finished): Finished | object {
  const same = stdout
    .replaceAll(/((?:duration_ms|execution_time_ms|cpu_time_ms|modified_at)\\*": ?)[\d.]+/g, "$10")
    .replaceAll(/"mode":"\w+"/g, '"mode":""')
    .replaceAll(/\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/g, "ID")
    .replaceAll(/(\[REDACTED\])_[\da-f]{8}/g, "$1"); // of each process its own
  return { code, stdout: same, stderr };
}

/** Options stand before `--`. */
function connected(args: readonly string[]): string[] {
  const dashes = args.includes("--") ? args.indexOf("--") : args.length;
  return [...args.slice(0, dashes), ...KERNEL, ...args.slice(dashes)];
}

const SCRIPTS: Record<string, string> = {
  "all.lua": `print("a", 1, nil) io.write("b") io.stderr:write("to stderr\\n") print(ARGS[1], ARGS.name, ARGS[0])
    return {math.maxinteger, 1/0, -0.0, "\\xff", {z = 1, a = {}}, print, "é"}`,
  "fails.lua": `print("before")\nlocal function f() error("on purpose") end\nf()`,
  "syntax.lua": `print("x"`,
  "exits.lua": `print("bye") os.exit(3)`,
  "reads.lua": `return {io.read("l"), io.read("n"), io.read("a")}`,
  "tools.lua": `return Tool.execute("hash-calculator", {operation = "hash", input = "abc", algorithm = "sha256"})`,
  "refused.lua": `return Tool.execute("no-such-tool", {})`,
  "module.lua": `return require("lib.answer")`,
  "lib/answer.lua": "return 42",
};

const DOCUMENTS: (readonly [name: string, args: string[], options?: RunOptions])[] = [
  ["run: values of every kind", ["run", "all.lua", "--", "first", "--name", "x"]],
  ["run: an error with its traceback", ["run", "fails.lua"]],
  ["run: a syntax error", ["run", "syntax.lua"]],
  ["run: os.exit", ["run", "exits.lua"]],
  ["run: standard input", ["run", "reads.lua"], { stdin: "line\n12 rest\nmore" }],
  ["run: a tool", ["run", "tools.lua"]],
  ["run: a tool that is not there", ["run", "refused.lua"]],
  ["run: a module beside the script", ["run", "module.lua"]],
  ["run: no such file", ["run", "absent.lua"]],
  ["exec: a value", ["exec", "print(1) return {b = 1, a = {2}}"]],
  ["exec: nothing", ["exec", "local x = 1"]],
  ["exec: an error", ["exec", "error({code = 5})"]],
  ["exec: streamed", ["exec", "--stream", "print(1)"]],
  ["tool list", ["tool", "list"]],
  ["tool list: a category", ["tool", "list", "--category", "utility"]],
  ["tool info", ["tool", "info", "calculator", "--show-schema"]],
  ["tool info: unknown", ["tool", "info", "calculater"]],
  ["tool search", ["tool", "search", "hash"]],
  ["tool test", ["tool", "test", "calculator", "--verbose"]],
  ["tool invoke", ["tool", "invoke", "calculator", "--params", '{"operation":"evaluate","input":"2+3*4"}']],
  ["tool invoke: wrong parameters", ["tool", "invoke", "calculator", "--params", '{"operation":5}']],
  [
    "tool invoke: refused",
    ["tool", "invoke", "file-operations", "--params", '{"operation":"read","path":"/etc/shadow"}'],
  ],
  ["model list", ["model", "list"]],
  ["model list: verbose", ["model", "list", "--verbose", "--backend", "llamacpp"]],
  ["model info", ["model", "info", "spell-mini"]],
  ["model info: unknown", ["model", "info", "no-such-model"]],
  ["model status", ["model", "status"]],
  ["model available", ["model", "available", "--recommended"]],
  ["model unload", ["model", "unload", "spell-mini"]],
  ["model import: no such file", ["model", "import", "absent.gguf"]],
  ["model pull: a wrong name", ["model", "pull", "@llamacpp"]],
  ["model remove: unknown", ["model", "remove", "--yes", "no-such-model"]],
  ["providers list", ["providers", "list"]],
  ["providers info", ["providers", "info", "local"]],
  ["providers info: unknown", ["providers", "info", "nobody"]],
];

const STORE_COMMANDS = [
  ["model", "import", "mini.gguf", "--name", "copy"],
  ["model", "list", "--verbose"],
  ["model", "info", "copy"],
  ["model", "export", "copy", "m.tar"],
  ["model", "import", "m.tar"],
  ["model", "remove", "copy", "--yes"],
  ["model", "pull", "acme/tiny-GGUF@llamacpp"],
  ["model", "pull", "acme/absent-GGUF@llamacpp"],
  ["model", "pull", "acme/tiny-GGUF@llamacpp", "--force"],
  ["model", "remove", "acme/tiny-GGUF", "--yes"],
];

const STATE_COMMANDS = [
  ["state", "clear"],
  [
    "exec",
    `State.save("user:bob", "k", {big = math.maxinteger, bytes = "\\xff", secret = "s"}) return State.load("user:bob", "k")`,
  ],
  ["state", "show"],
  ["state", "show", "user:bob:k"],
  ["state", "show", "absent"],
  ["state", "set", "n", '{"a":[1,null,9007199254740993]}'],
  ["state", "get", "n"],
  ["state", "get", "absent"],
  ["state", "list"],
  ["state", "list", "--scope", "user:bob"],
  ["state", "export", "s.json"],
  ["state", "clear", "n"],
  ["state", "import", "s.json"],
  ["state", "import", "absent.json"],
  ["state", "show"],
  ["state", "delete", "n"],
  ["state", "delete", "n"],
  ["state", "set", "__n", "1"],
  ["state", "check"],
  ["state", "clear"],
];

describe("--output json, embedded and connected", () => {
  beforeAll(() => {
    for (const [name, text] of Object.entries(SCRIPTS)) sandbox.write(name, text);
  });

  test.each(DOCUMENTS)("%s", async (_, args, options = {}) => {
    const inJson = (words: string[]) =>
      sandbox.run(["--output", "json", ...words], { env: CONFIGURATION, ...options });
    const embedded = await inJson(args);
    expect(comparable(await inJson(connected(args)))).toEqual(comparable(embedded));
    expect(() => JSON.parse(embedded.stdout)).not.toThrow();
  });

  test("commands that change the store, one after the other", async () => {
    sandbox.write("mini.gguf", mini);
    const life = async (place: (words: string[]) => string[]) => {
      const documents: object[] = [];
      for (const words of STORE_COMMANDS) {
        const done = await sandbox.run(["--output", "json", ...place(words)], { env: CONFIGURATION });
        documents.push(comparable(done));
      }
      rmSync(join(sandbox.cwd, "m.tar"));
      return documents;
    };
    const embedded = await life((words) => words);
    expect(await life(connected)).toEqual(embedded);
    expect(embedded.map((document) => (document as Finished).code)).toEqual([0, 0, 0, 0, 1, 0, 0, 1, 0, 0]);
  });

  test("commands that change state, one after the other", async () => {
    const life = async (place: (words: string[]) => string[]) => {
      const documents: object[] = [];
      for (const words of STATE_COMMANDS) {
        const done = await sandbox.run(["--output", "json", ...place(words)], { env: CONFIGURATION });
        documents.push(comparable(done));
      }
      return documents;
    };
    const embedded = await life((words) => words);
    expect(await life(connected)).toEqual(embedded);
    const codes = embedded.map((document) => (document as Finished).code);
    expect(codes.map((code, i) => (code === 0 ? -1 : i)).filter((i) => i >= 0)).toEqual([7, 13, 17]);
  });

  test("what one process saves, the other sees", async () => {
    await sandbox.run(connected(["exec", `State.save("global", "shared", "from the kernel")`]), {
      env: CONFIGURATION,
    });
    const here = await sandbox.run(
      [
        "exec",
        `local old = State.load("global", "shared") State.save("global", "shared", "from here") return old`,
      ],
      { env: CONFIGURATION },
    );
    const there = await sandbox.run(connected(["state", "get", "shared"]), { env: CONFIGURATION });
    expect([here.stdout.trim(), there.stdout.trim()]).toEqual(['"from the kernel"', '"from here"']);
  });

  test("run and exec say where they ran", async () => {
    const modes = [["exec", "return 1"], connected(["exec", "return 1"])].map(async (args) => {
      return JSON.parse((await sandbox.run([...args, "--output", "json"])).stdout).mode;
    });
    expect(await Promise.all(modes)).toEqual(["embedded", "connected"]);
  });
});

test("text output is the same too, bytes that are not UTF-8 included", async () => {
  const code = `for i = 1, 2000 do print(i, "\\xfe") end io.write("end") return 1`;
  const embedded = await sandbox.run(["exec", code]);
  const there = await sandbox.run(connected(["exec", code]));
  expect(Buffer.from(there.stdoutBytes).equals(Buffer.from(embedded.stdoutBytes))).toBe(true);
  expect(there.code).toBe(0);
});

describe("addresses", () => {
  test("all forms lead to the same kernel, whose variables stay", async () => {
    await sandbox.run(connected(["exec", "kept = 'here'"]));
    const { shell_port, websocket_port, key } = connection();
    const { websocket_port: _, token: __, pid: ___, ...jupyter } = connection();
    const file = sandbox.write("jupyter.json", JSON.stringify({ ...jupyter, key }));
    const forms = [
      ["--connect", `127.0.0.1:${shell_port}`],
      ["--connect", `tcp://127.0.0.1:${shell_port}`],
      ["--connect", `localhost:${websocket_port}`],
      ["--connect", connectionFile()],
      ["--connect", file],
      ["--connect", "here"],
      ["--kernel", "here"],
    ];
    for (const form of forms)
      expect((await sandbox.run(["exec", ...form, "return kept"])).stdout).toBe('"here"\n');
    const byName = await sandbox.run(["exec", "return kept"], { env: { LLMSPELL_KERNEL_ID: "here" } });
    expect(byName.stdout).toBe('"here"\n');
    const token: string = connection().token;
    const elsewhere = await sandbox.run(["exec", "--connect", `127.0.0.1:${websocket_port}`, "return kept"], {
      env: { LLMSPELL_HOME: join(sandbox.root, "other"), LLMSPELL_KERNEL_TOKEN: token },
    });
    expect(elsewhere.stdout).toBe('"here"\n');
  }, 60_000);

  test.each([
    [["--kernel", "hare"], "Kernel 'hare' not found", 'Did you mean "here"?'],
    [["--connect", "absent.json"], "Connection file not found", "kernel"],
    [["--connect", "127.0.0.1:1"], "no kernel of this user runs at 127.0.0.1:1", "LLMSPELL_KERNEL_TOKEN"],
    [["--connect", "http://x"], "the address must be tcp://host:port", "host:port"],
    [["--kernel", "here", "--profile", "minimal"], "Cannot use --profile", "Leave the option out"],
  ])("%p is refused with words and a next step", async (options, message, next) => {
    const { code, stdout, stderr } = await sandbox.run(["exec", ...options, "return 1"]);
    expect({ code: code > 0, stdout }).toEqual({ code: true, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(new RegExp(`Next: .*${next.replaceAll(/[?.]/g, ".")}`));
  });

  test("without options a command works in its own process, unless kernel.auto_connect says otherwise", async () => {
    await sandbox.run(connected(["exec", "found = true"]));
    expect((await sandbox.run(["exec", "return found == nil"])).stdout).toBe("true\n");
    sandbox.write("auto.toml", "[kernel]\nauto_connect = true\n");
    expect((await sandbox.run(["-c", "auto.toml", "exec", "return found"])).stdout).toBe("true\n");
  });
});

test("Ctrl-C stops the script in the kernel, which goes on", async () => {
  const endless = sandbox.start(connected(["exec", "print('on') while true do end"]));
  await endless.stdout.getReader().read();
  endless.kill("SIGINT");
  expect(await endless.exited).toBe(130);
  expect((await sandbox.run(connected(["exec", "return 1"]))).stdout).toBe("1\n");
});

test("a kernel that is killed in the middle ends the command with an error that says so", async () => {
  using other = new Sandbox();
  const doomed = other.start(["kernel", "start", "--port", "0", "--id", "doomed"]);
  await doomed.stdout.getReader().read();
  const running = other.start([
    "--output",
    "json",
    "exec",
    "--kernel",
    "doomed",
    "io.stderr:write('on') while true do end",
  ]);
  await running.stderr.getReader().read();
  doomed.kill("SIGKILL");
  const document = JSON.parse(await new Response(running.stdout).text());
  expect(document).toMatchObject({ status: "error", code: "network" });
  expect(document.error).toContain("Lost the connection to kernel doomed");
  expect(await running.exited).toBe(1);
  const after = await other.run(["exec", "--kernel", "doomed", "return 1"]);
  expect({ code: after.code, stdout: after.stdout }).toEqual({ code: 1, stdout: "" });
  expect(after.stderr).toContain("Kernel 'doomed' not found");
});
