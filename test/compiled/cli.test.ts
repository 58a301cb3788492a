import { describe, expect, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import { EXECUTABLE, Sandbox } from "../support/cli.ts";

describe("the command line", () => {
  test("shows the pinned version", async () => {
    using box = new Sandbox();
    expect((await box.run(["--version"])).stdout).toBe(`llmspell ${packageJson.version}\n`);
    expect((await box.run(["version", "--short"])).stdout).toBe(`${packageJson.version}\n`);
    const json = JSON.parse((await box.run(["version", "--output", "json"])).stdout);
    expect(json.version).toBe(packageJson.version);
    expect(json.build.bun).toBe(packageJson.packageManager.split("@")[1]);
  });

  test("lists every command and describes each", async () => {
    using box = new Sandbox();
    const help = await box.run(["--help"]);
    expect(help.code).toBe(0);
    for (const name of [
      "run",
      "exec",
      "tool",
      "model",
      "providers",
      "config",
      "setup",
      "completion",
      "version",
    ]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
      const own = await box.run([name, "--help"]);
      expect([name, own.code]).toEqual([name, 0]);
      expect(own.stdout).toContain(`Usage: llmspell ${name}`);
    }
  });

  const usageErrors: [string, string[], string[]][] = [
    ["no command", [], ["Missing command"]],
    ["an unknown command", ["rum", "x.lua"], ["Unknown command: rum", '"run"']],
    ["an unknown subcommand", ["model", "lst"], ["lst", '"list"']],
    ["an unknown flag", ["run", "x.lua", "--strem"], ["--strem", '"--stream"']],
    ["a flag without its value", ["run", "x.lua", "--engine"], ["--engine", "value"]],
    ["a value outside the choices", ["run", "x.lua", "--output", "yaml"], ["--output", "yaml"]],
    ["a missing argument", ["run"], ["SCRIPT"]],
    ["a surplus argument", ["run", "a.lua", "b.lua"], ["b.lua"]],
    ["an engine that is not there", ["run", "a.py", "--engine", "python"], ["python"]],
  ];
  for (const [name, words, texts] of usageErrors) {
    test(`refuses ${name} with exit code 2 and says what to do`, async () => {
      using box = new Sandbox();
      const done = await box.run(words);
      expect(done.code).toBe(2);
      expect(done.stdout).toBe("");
      for (const text of texts) expect(done.stderr).toContain(text);
    });
  }

  test("takes global options before and after the command", async () => {
    using box = new Sandbox();
    for (const words of [
      ["--output", "json", "exec", "return 1"],
      ["exec", "return 1", "--output=json"],
      ["exec", "--output", "json", "return 1"],
    ]) {
      expect(JSON.parse((await box.run(words)).stdout).output).toBe(1);
    }
  });
});

describe("llmspell exec", () => {
  test("prints output, then the returned value as JSON", async () => {
    using box = new Sandbox();
    const done = await box.run(["exec", 'print("hi") return {1, "two", {three = true}}']);
    expect(done.stdout).toBe('hi\n[1,"two",{"three":true}]\n');
    expect(done.code).toBe(0);
  });

  test("keeps code that looks like a flag or a number", async () => {
    using box = new Sandbox();
    expect((await box.run(["exec", "-- a comment\nreturn 7"])).stdout).toBe("7\n");
    expect((await box.run(["exec", "--", "return 007"])).stdout).toBe("7\n");
  });
});

describe("llmspell run", () => {
  test("hands arguments over as the specification says", async () => {
    using box = new Sandbox();
    box.write(
      "args.lua",
      "print(ARGS[0], ARGS[1], ARGS['2'], ARGS.name, ARGS.flag, ARGS['out-dir'], ARGS.n, arg[0], arg[1], #arg)",
    );
    const done = await box.run([
      "run",
      "args.lua",
      "--",
      "a",
      "-x",
      "--name",
      "Ada",
      "--n",
      "-5",
      "--out-dir=b c",
      "--flag",
    ]);
    expect(done.stdout).toBe("args.lua\ta\t-x\tAda\ttrue\tb c\t-5\targs.lua\ta\t2\n");
  });

  test("always gives tables, also without arguments", async () => {
    using box = new Sandbox();
    const done = await box.lua("print(type(ARGS), type(arg), ARGS[0], ARGS[1], #arg)");
    expect(done.stdout).toBe("table\ttable\tscript.lua\tnil\t0\n");
  });

  test("prints one JSON document in JSON mode and nothing else", async () => {
    using box = new Sandbox();
    const done = await box.lua('print("a") print("b", 2) return {x = 1}', { args: ["--output", "json"] });
    expect(JSON.parse(done.stdout)).toMatchObject({
      status: "success",
      mode: "embedded",
      script_length: 39,
      args_count: 1,
      streaming: false,
      console: ["a", "b\t2"],
      output: { x: 1 },
      result: 'a\nb\t2\n{"x":1}',
    });
  });

  test("reports a failure in JSON mode as a document too", async () => {
    using box = new Sandbox();
    const done = await box.lua('error("no")', { args: ["--output", "json"] });
    expect(done.code).toBe(1);
    const document = JSON.parse(done.stdout);
    expect(document.status).toBe("error");
    expect(document.error).toContain("script.lua:1: no");
  });

  test("names a missing script", async () => {
    using box = new Sandbox();
    const done = await box.run(["run", "nowhere.lua"]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("Script file not found: nowhere.lua");
  });

  test("gives the code of os.exit and flushes before it", async () => {
    using box = new Sandbox();
    const done = await box.lua('io.write("before") os.exit(7)');
    expect([done.code, done.stdout]).toEqual([7, "before"]);
  });

  test("reads lines from standard input and sees its end", async () => {
    using box = new Sandbox();
    const script =
      "while true do local l = io.read() if not l then break end print('[' .. l .. ']') end print('end')";
    expect((await box.lua(script, { stdin: "one\ntwo\r\nthree" })).stdout).toBe(
      "[one]\n[two\r]\n[three]\nend\n",
    );
    expect((await box.lua(script, { stdin: "closed" })).stdout).toBe("end\n");
  });

  test("reads bytes as they are, with and without a last newline", async () => {
    using box = new Sandbox();
    box.write("in.bin", new Uint8Array([0xff, 0x0a, 0x61, 0x00, 0x62]));
    box.write("read.lua", 'local all = io.read("a") print(#all, all:byte(1, -1))');
    const proc = Bun.spawn(["sh", "-c", `${EXECUTABLE} run read.lua < in.bin`], {
      cwd: box.cwd,
      env: box.env,
    });
    expect(await new Response(proc.stdout).text()).toBe("5\t255\t10\t97\t0\t98\n");
  });

  test("keeps bytes that are not UTF-8", async () => {
    using box = new Sandbox();
    const done = await box.lua('io.write("\\255\\0\\128a")');
    expect([...done.stdoutBytes]).toEqual([255, 0, 128, 97]);
  });
});
