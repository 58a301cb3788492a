import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../support/cli.ts";

const AGENT = `
local a = Agent.builder():name("helper"):model("local/spell-mini"):allow_tool("calculator"):build()
print(a:execute("What is 15 + 27?").text)`;

/** Planted files that would configure or replace parts of a careless program. */
function plant(box: Sandbox): void {
  const shout = 'require("fs").writeFileSync("pwned", "yes"); console.log("PWNED");';
  for (const name of [
    "worker.ts",
    "worker.js",
    "src/engine/lua/worker.ts",
    "src/engine/lua/worker.js",
    "src/models/llamacpp/worker.js",
  ]) {
    box.write(name, shout);
  }
  box.write(".env", "LLMSPELL_ALLOW_FILE_ACCESS=true\nLLMSPELL_HOME=./planted\n");
  box.write("bunfig.toml", 'preload = ["./worker.ts"]\n');
  box.write("tsconfig.json", '{"compilerOptions":{"paths":{"*":["./worker.ts"]}}}');
  box.write("package.json", '{"type":"module","imports":{"#x":"./worker.ts"}}');
  box.write(
    "llmspell.toml",
    '[runtime.security]\nallow_file_access = true\n[tools.file_operations]\nallowed_paths = ["/"]\n',
  );
}

describe("a stranger's directory", () => {
  test("changes nothing, and the ignored configuration is reported", async () => {
    using box = new Sandbox();
    plant(box);
    const script = `${AGENT}
print(io.open == nil or io.open("/etc/hostname") == nil)
print(pcall(Tool.execute, "file-operations", {operation = "read", path = "/etc/hostname"}))`;
    const done = await box.lua(script);
    expect(done.code).toBe(0);
    const [answer, files, tool] = done.stdout.split("\n");
    expect(answer).toContain("42");
    expect(files).toBe("true");
    expect(tool).toMatch(/^false\t.*(not in allow|not allowed)/);
    expect(done.stderr).toContain("llmspell config trust");
    expect(done.stdout + done.stderr).not.toContain("PWNED");
    expect(existsSync(join(box.cwd, "pwned"))).toBe(false);
    expect(existsSync(join(box.cwd, "planted"))).toBe(false);
  });
});

describe("the environment", () => {
  test("is readable except for what holds secrets", async () => {
    using box = new Sandbox();
    const done = await box.lua(
      'print(os.getenv("MY_SETTING"), os.getenv("HOME"), os.getenv("OPENAI_API_KEY"), os.getenv("NONE"))',
      {
        env: { MY_SETTING: "x", OPENAI_API_KEY: "sk-secret", AWS_REGION: "y" },
      },
    );
    expect(done.stdout).toBe(`x\t${box.home}\tnil\tnil\n`);
  });
});

describe("what a run leaves behind", () => {
  test("is nothing in the temporary folder, also after an agent ran", async () => {
    using box = new Sandbox();
    expect((await box.lua(AGENT)).stdout).toContain("42");
    expect(readdirSync(box.tmp)).toEqual([]);
  });

  test("is no file at all when no model is needed", async () => {
    using box = new Sandbox();
    expect((await box.lua('print(Tool.execute("calculator", {input = "6*7"}).result.value)')).stdout).toBe(
      "42\n",
    );
    expect([readdirSync(box.home), readdirSync(box.tmp), readdirSync(box.cwd)]).toEqual([
      [],
      [],
      ["script.lua"],
    ]);
  });

  test("has owner-only rights", async () => {
    using box = new Sandbox();
    await box.lua(AGENT);
    const listing = Bun.spawnSync(["find", box.home, "-perm", "/077", "-not", "-type", "l"], {
      stdout: "pipe",
    }).stdout.toString();
    expect(
      listing.split("\n").filter((p) => p !== "" && p !== box.home && p !== join(box.home, ".cache")),
    ).toEqual([]);
  });
});

describe("first use", () => {
  test("by several processes at once works in each", async () => {
    using box = new Sandbox();
    box.write("agent.lua", AGENT);
    const all = await Promise.all([1, 2, 3].map(() => box.run(["run", "agent.lua"])));
    for (const done of all)
      expect([done.code, done.stdout.includes("42"), done.stderr]).toEqual([0, true, ""]);
  });

  test("works with a read-only home", async () => {
    using box = new Sandbox();
    box.write("agent.lua", AGENT);
    const unshare = Bun.which("unshare");
    if (process.getuid?.() === 0 && unshare !== null) {
      // Root may write anywhere, so the home becomes a read-only mount of its own.
      const mount = `mount -t tmpfs -o ro none ${box.home} && exec ${EXECUTABLE} run agent.lua`;
      const proc = Bun.spawn([unshare, "-m", "sh", "-c", mount], {
        cwd: box.cwd,
        env: box.env,
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err, code] = await Promise.all([
        new Response(proc.stdout).text(),
        new Response(proc.stderr).text(),
        proc.exited,
      ]);
      expect([code, out.includes("42"), err]).toEqual([0, true, ""]);
      return;
    }
    chmodSync(box.home, 0o500);
    const done = await box.run(["run", "agent.lua"]);
    chmodSync(box.home, 0o700);
    expect([done.code, done.stdout.includes("42")]).toEqual([0, true]);
  });
});

describe("standard output", () => {
  test("closed early ends the program quietly", async () => {
    using box = new Sandbox();
    box.write("loop.lua", "for i = 1, 1e9 do print(i) end");
    const proc = Bun.spawn(["sh", "-c", `{ ${EXECUTABLE} run loop.lua; echo "code $?" >&2; } | head -1`], {
      cwd: box.cwd,
      env: box.env,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([
      new Response(proc.stdout).text(),
      new Response(proc.stderr).text(),
    ]);
    expect(out).toBe("1\n");
    expect(err).toBe("code 141\n");
  });

  test("on a full disk is a clear error", async () => {
    if (!existsSync("/dev/full")) return;
    using box = new Sandbox();
    box.write("say.lua", 'print("hello")');
    const proc = Bun.spawn(["sh", "-c", `${EXECUTABLE} run say.lua > /dev/full`], {
      cwd: box.cwd,
      env: box.env,
      stderr: "pipe",
    });
    const [err, code] = await Promise.all([new Response(proc.stderr).text(), proc.exited]);
    expect(code).toBe(1);
    expect(err).toContain("Cannot write output");
    expect(err).toMatch(/no space left/i);
  });
});

describe("signals", () => {
  const cases: [string, string][] = [
    ["an endless loop", "while true do end"],
    ["a loop that swallows errors", "while true do pcall(function() while true do end end) end"],
    ["a coroutine that never yields", "coroutine.wrap(function() while true do end end)()"],
    ["a wait for standard input", 'io.write("ready ") io.read()'],
  ];
  for (const [name, code] of cases) {
    test(`Ctrl-C ends ${name} with exit code 130`, async () => {
      using box = new Sandbox();
      box.write("loop.lua", `print("ready") ${code}`);
      const proc = Bun.spawn([EXECUTABLE, "run", "loop.lua"], {
        cwd: box.cwd,
        env: box.env,
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      });
      const reader = proc.stdout.getReader();
      await reader.read();
      proc.kill("SIGINT");
      expect(await proc.exited).toBe(130);
      expect(await new Response(proc.stderr).text()).toContain("nterrupted");
    });
  }

  test("SIGTERM ends a script with exit code 143", async () => {
    using box = new Sandbox();
    box.write("loop.lua", 'print("ready") while true do end');
    const proc = Bun.spawn([EXECUTABLE, "run", "loop.lua"], {
      cwd: box.cwd,
      env: box.env,
      stdout: "pipe",
      stderr: "pipe",
    });
    await proc.stdout.getReader().read();
    proc.kill("SIGTERM");
    expect(await proc.exited).toBe(143);
  });
});
