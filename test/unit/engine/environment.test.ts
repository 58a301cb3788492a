import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Harness, harness } from "./harness.ts";

const NO_ARGS = { script: "cell", positional: [], named: {} };

let directory: string;
let open: Harness;
let closed: Harness;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "llmspell-engine-"));
  mkdirSync(join(directory, "outside"));
  mkdirSync(join(directory, "script"));
  writeFileSync(join(directory, "outside", "secret.lua"), "return 'secret'");
  writeFileSync(join(directory, "script", "mod.lua"), "#!shebang\nreturn {name = ...}");
  writeFileSync(join(directory, "script", "broken.lua"), "return = 1");
  symlinkSync(join(directory, "outside", "secret.lua"), join(directory, "script", "link.lua"));
  open = harness({}, ["first line", "12 rest"]);
  closed = harness({ allowFileAccess: false, allowProcessSpawn: false });
});
afterAll(async () => {
  await open.engine.dispose();
  await closed.engine.dispose();
  rmSync(directory, { recursive: true });
});

async function value(h: Harness, code: string): Promise<unknown> {
  const outcome = await h.run(code, { name: "main.lua", path: join(directory, "script", "main.lua") });
  expect(outcome.error).toBeUndefined();
  return outcome.value;
}

describe("print and io.write", () => {
  test("print shows no .0 and no addresses, and honours __tostring", async () => {
    open.output();
    await value(
      open,
      "print(3.0, 1e100, -0.0, 2^31, 10 // 3, {}, print, nil, true, setmetatable({}, {__tostring = function() return 'own' end}))",
    );
    expect(open.output()).toBe("3\t1e+100\t-0\t2147483648\t3\ttable\tfunction\tnil\ttrue\town\n");
  });

  test("keep their order and bytes that are not UTF-8", async () => {
    open.bytes();
    await value(open, "io.write('a', 1, 2.5):write('b\\n') print('c\\xff') io.stdout:write('d') io.flush()");
    expect([...open.bytes()]).toEqual([...Buffer.from("a12.5b\nc"), 0xff, ...Buffer.from("\nd")]);
  });

  test("io.write refuses a table", async () => {
    expect(await value(open, "return pcall(io.write, {})")).toBe(false);
  });
});

test("io.read takes lines, numbers and the end of standard input", async () => {
  expect(await value(open, "return {io.read(), io.read('n'), io.read('l'), io.read() == nil}")).toEqual([
    "first line",
    12,
    " rest",
    true,
  ]);
});

describe("loading", () => {
  test("require finds files beside the script once, with a first line of #!", async () => {
    expect(await value(open, "local m = require('mod') return {m.name, m == require('mod')}")).toEqual([
      "mod",
      true,
    ]);
  });

  test("files outside the script's directory are refused, through links too, unless files are allowed", async () => {
    const outside = join(directory, "outside", "secret.lua");
    for (const path of [
      outside,
      join(directory, "script", "link.lua"),
      join(directory, "script", "..", "outside", "secret.lua"),
    ]) {
      expect(
        await value(
          closed,
          `return {loadfile(${JSON.stringify(path)}) == nil, (pcall(dofile, ${JSON.stringify(path)}))}`,
        ),
      ).toEqual([true, false]);
      expect(await value(open, `return dofile(${JSON.stringify(path)})`)).toBe("secret");
    }
    expect(await value(closed, "return (pcall(require, 'link'))")).toBe(false);
    expect(await value(closed, "return require('mod').name")).toBe("mod");
  });

  test("a module that is absent or broken is told with the files that were tried", async () => {
    expect(await value(open, "return select(2, pcall(require, 'nope'))")).toContain("no file");
    expect(await value(open, "return select(2, pcall(require, 'broken'))")).toContain("broken.lua:1:");
  });

  test("bytecode is refused by load, loadfile and the script itself", async () => {
    const bytecode = "string.dump(function() return 1 end)";
    expect(
      await value(
        open,
        `return {load(${bytecode}) == nil, load(${bytecode}, 'x', 'b') == nil, load('return 7')()}`,
      ),
    ).toEqual([true, true, 7]);
    expect((await open.run("\x1bLua")).error?.code).toBe("script_syntax");
  });

  test("load keeps a nil environment apart from none", async () => {
    expect(
      await value(
        open,
        "return {load('return print ~= nil')(), load('return x', 'n', 't', {x = 5})(), (pcall(load('return x', 'n', 't', nil)))}",
      ),
    ).toEqual([true, 5, false]);
  });
});

describe("files and processes", () => {
  test("io works on real files where the policy allows", async () => {
    const path = JSON.stringify(join(directory, "f.txt"));
    expect(
      await value(
        open,
        `local f = assert(io.open(${path}, "w")) f:write("one\\ntwo\\n", 3, "\\xff") f:close()
        local lines = {} for l in io.lines(${path}) do lines[#lines + 1] = #l end
        local g = io.open(${path}, "a") g:write("!") g:close()
        local r = io.open(${path}) r:seek("set", 4) local two = r:read("l") local size = r:seek("end") r:close()
        return {lines, two, size, io.type(r), (select(2, io.open("/nonexistent/x")))}`,
      ),
    ).toEqual([[3, 3, 2], "two", 11, "closed file", "/nonexistent/x: No such file or directory"]);
    expect([...readFileSync(join(directory, "f.txt"))]).toEqual([...Buffer.from("one\ntwo\n3"), 0xff, 33]);
    expect(
      await value(
        open,
        `return {os.rename(${path}, ${path} .. "2"), os.remove(${path} .. "2"), tostring(os.remove(${path} .. "2"))}`,
      ),
    ).toEqual([true, true, "nil"]);
  });

  test("refused ones give nil and a message", async () => {
    expect(
      await value(
        closed,
        `local function refused(v, m) return v == nil and type(m) == "string" end
        return {refused(io.open("/etc/passwd")), refused(os.remove("/tmp/x")), refused(os.rename("/tmp/x", "/tmp/y")),
          refused(os.execute("true")), refused(io.popen("true")), refused(os.tmpname()), os.execute()}`,
      ),
    ).toEqual([true, true, true, true, true, true, false]);
  });

  test("allowed processes run with their output in place", async () => {
    open.output();
    expect(
      await value(
        open,
        `print("before") local ok, how, code = os.execute("echo run; exit 3") print("after")
        local p = io.popen("printf 'a\\\\nb'") local a, b, c = p:read("l"), p:read("a"), p:read("l")
        local w = io.popen("cat", "w") w:write("written\\n") w:close()
        return {tostring(ok), how, code, a, b, tostring(c), (p:close())}`,
      ),
    ).toEqual(["nil", "exit", 3, "a", "b", "nil", true]);
    expect(open.output()).toBe("before\nrun\nafter\nwritten\n");
  });
});

describe("the standard library", () => {
  const seen = `local seen = {} for i, v in ipairs({"string", "coroutine", "os", "io", "package", "require", "debug"}) do
    seen[i] = _G[v] ~= nil end return seen`;
  test("has what its level says", async () => {
    const expected = {
      None: [false, false, false, false, false, false, false],
      Basic: [true, true, true, true, false, false, false],
      Standard: [true, true, true, true, true, true, false],
      All: [true, true, true, true, true, true, false],
    } as const;
    for (const [stdlib, visible] of Object.entries(expected)) {
      const h = harness({ stdlib: stdlib as keyof typeof expected });
      expect((await h.run(seen)).value).toEqual([...visible]);
      await h.engine.dispose();
    }
  });

  test("knows its version, the environment and the arguments", async () => {
    const outcome = await open.run(
      "return {_VERSION, os.getenv('PATH') == nil, ARGS[0], ARGS['1'], arg[1], #arg, args == ARGS}",
      {
        args: ["a"],
      },
    );
    expect(outcome.value).toEqual(["Lua 5.4", false, "script.lua", "a", "a", 1, true]);
  });

  test("shows all globals to iteration", async () => {
    expect(
      await value(
        open,
        "local n = 0 for k, v in pairs(_G) do if k == 'Host' or k == 'Names' then n = n + 1 end end return n",
      ),
    ).toBe(2);
  });
});

describe("a global that nobody has looked at yet", () => {
  const fresh = async (code: string) => {
    const h = harness();
    try {
      return (await h.run(code)).value;
    } finally {
      await h.engine.dispose();
    }
  };

  test("is whole to iteration", async () => {
    const seen =
      "local names = {} for name in pairs(Host) do names[#names + 1] = name end table.sort(names) return names";
    expect(await fresh(seen)).toEqual(await fresh(`local _ = Host.nothing ${seen}`));
  });

  test("does not mind what its metamethods are called with", async () => {
    const calls = `local m, seen = getmetatable(Host), {}
      for _, name in ipairs{"__index", "__newindex", "__pairs"} do
        local method = m[name]
        seen[#seen + 1] = {pcall(method), pcall(method, 1), pcall(method, {}, "a", 1, 2), pcall(method, "text", nil)}
      end
      return #seen`;
    expect(await fresh(calls)).toBe(3);
    const after = "for name in pairs(Host) do return type(Host[name]) end";
    expect(await fresh(calls.replace("return #seen", after))).toBe(await fresh(after));
  });

  test("keeps what a script puts into it first", async () => {
    expect(
      await fresh(
        "Host.mine = 1 local n = 0 for _ in pairs(Host) do n = n + 1 end return {Host.mine, n > 1}",
      ),
    ).toEqual([1, true]);
    const [name] = (await fresh("for name in pairs(Host) do return {name} end")) as [string];
    expect(await fresh(`Host.${name} = 7 return Host.${name}`)).toBe(7);
  });
});

describe("what is typed at a prompt", () => {
  test.each([
    ["1 + 1", 2],
    ["#'abc', 5", 3],
    ["math.max(2, 7)", 7],
    ["x = 1", null],
    ["local a = 1", null],
    ["return 9", 9],
    ["-- a comment", null],
    ["if true then return 'in a block' end", "in a block"],
  ])("%j has the value %j", async (code, expected) => {
    const { engine } = open;
    const outcome = await engine.execute({ code, name: "cell", args: NO_ARGS, interactive: true });
    expect(outcome).toMatchObject({ value: expected });
  });

  test("keeps its line numbers and Lua's own message for what does not compile", async () => {
    const run = (code: string) =>
      open.engine.execute({ code, name: "cell", args: NO_ARGS, interactive: true });
    expect((await run("\n\nerror('here')")).error?.message).toBe("cell:3: here");
    expect((await run("for for")).error?.message).toStartWith("cell:1: <name> expected near 'for'");
  });
});
