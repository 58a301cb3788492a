/** Wrong calls around local models: each failure names what is wrong, the rule and the value, and a next step. */
import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";

/** Words of the command line, the exit code, what the message says, what the next step says. */
const COMMANDS: readonly [string, number, string, string][] = [
  ["model info nosuch", 1, "Model 'nosuch' not found", "model import FILE"],
  ["model info local/", 1, "Model specification cannot be empty", "local/spell-mini"],
  ["model info spell-mini@cuda", 1, 'must be llamacpp or ollama: "cuda"', "Leave out the @backend"],
  ["model info", 2, "Missing argument of `llmspell model info`: MODEL", "Usage:"],
  [
    "model list --backend cand",
    2,
    "--backend: it must be one of all, ollama, llamacpp, candle: cand",
    '"candle"',
  ],
  ["model import none.gguf", 1, "none.gguf': no such file or directory", "Check the path"],
  ["model import empty", 1, "the directory is empty", "take other models as a GGUF file"],
  ["model import text.json", 1, "it is not a GGUF file", "take other models as a GGUF file"],
  ["model import cut.gguf", 1, "it is truncated", "Fetch or convert the model again"],
  ["model import mini.gguf --name a/b/c", 1, "Invalid model spec 'a/b/c'", "[owner/]name[:variant]"],
  ["model import mini.gguf --model x", 1, '"model" chooses in a models directory of Ollama', "Leave it out"],
  ["model import mini.gguf --nmae x", 2, "Unknown option of `llmspell model import`: --nmae", '"--name"'],
  ["model export nosuch x.tar", 1, "Model 'nosuch' not found", "model import FILE"],
  ["model export spell-mini x.tar", 1, "it is part of the executable", "Every llmspell has it"],
  ["model unload nosuch", 1, "Model 'nosuch' not found", "model import FILE"],
  ["model remove nosuch --yes", 1, "Model 'nosuch' not found", "model import FILE"],
  ["model pull a/b/c", 1, "Invalid model spec 'a/b/c'", "owner/repo[:QUANTIZATION]"],
  ["model statu", 2, "Unknown command of `llmspell model`: statu", '"status"'],
  ["serve --port 99999", 2, '--port must be a whole number between 0 and 65535: "99999"', "serve --help"],
  [
    "serve --max-requests 0",
    2,
    '--max-requests must be a whole number between 1 and 100000: "0"',
    "serve --help",
  ],
  [
    "serve --host 0.0.0.0",
    1,
    "Cannot serve without a token: others reach this address: 0.0.0.0",
    "--token-file",
  ],
  ["serve --token-file none", 1, "none': no such file or directory", "--token-file"],
  [
    "serve --allow-origin example.org",
    2,
    '--allow-origin must be a scheme, a host and no path: "example.org"',
    "https://",
  ],
  [
    "serve --allow-host http://x",
    2,
    '--allow-host must be the name of a host, without scheme, port and path: "http://x"',
    "models.lan",
  ],
  ["serve --model nosuch", 1, "Model 'nosuch' not found", "model import FILE"],
  ["serve --token secret", 2, "Unknown option of `llmspell serve`: --token", '"--token-file"'],
  ["doctor now", 2, "Too many arguments for `llmspell doctor`: now", "doctor --help"],
];

/** A Lua expression and what its error says. `agent` makes an agent on the built-in model, `ask` asks one. */
const CALLS: readonly [string, string][] = [
  ['ask{model="local/nosuch"}', "Model 'nosuch' not found"],
  ['ask{model="local/spell-mini@cuda"}', 'must be llamacpp or ollama: "cuda"'],
  ["ask{temperature=-1}", '"temperature" must be between 0 and 2: -1'],
  ["ask{top_p=2}", '"top_p" must be between 0 and 1: 2'],
  ["ask{top_k=-3}", '"top_k" must be at least 0: -3'],
  ["ask{max_tokens=0}", '"max_tokens" must be at least 1: 0'],
  ['ask{tools={"nosuch"}}', "no such tool: nosuch"],
  ["ask({}, {})", '"text" is required in the input'],
  ['ask({}, ("word "):rep(5000))', "over the context of 1024 tokens"],
  ['ask({}, {text="x", schema=5})', '"schema" must be a JSON Schema, as a table or as text'],
  [
    'ask({}, {text="x", schema="{"})',
    `"schema" must be a JSON Schema: JSON parse error: Expected '}' at line 1`,
  ],
  ['ask({}, {text="x", schema={type="strng"}})', '"type" must be one or several of null, boolean'],
  ['ask({}, {text="x", schema={requird={"a"}}})', 'Did you mean "required"?'],
  ['ask({}, {text="x", schema={["not"]={}}})', '"not" cannot be held: #'],
  ['ask({}, {text="x", schema={}, grammar="root ::= x"})', '"schema" must be given alone'],
  [`ask({}, {text="x", grammar='root ::= "a'})`, "a text does not end at line 1, column 12"],
  ['ask({}, {text="x", grammar="root ::= a"})', 'rule "a" is used and not defined'],
  [`ask({}, {text="x", grammar='a ::= "a"'})`, 'there is no rule "root"'],
  ['ask({}, {text="x", response_format={type="xml"}})', '"json_object" or "json_schema": "xml"'],
  ['ask({}, {text="x", response_format="json"})', '"json_object" or "json_schema": "json"'],
  [
    'ask({}, {text="x", response_format={type="json_schema"}})',
    '"response_format.json_schema.schema" must be',
  ],
  ['LocalLLM.embed("nosuch", "x")', "Model 'nosuch' not found"],
  ['LocalLLM.embed("spell-mini", "x", {pooling="max"})', '"pooling" must be one of mean, cls, last: "max"'],
  ['LocalLLM.embed("spell-mini", "x", {normalise=true})', 'it has no option "normalise"'],
  ['LocalLLM.rank("spell-mini", "x", {"a"})', "it has no classifier"],
  ['LocalLLM.rank("spell-mini", "x")', '"documents" must be an array: nil'],
  ['LocalLLM.list("cuda")', '"backend" must be one of "ollama", "llamacpp", "candle", "all": "cuda"'],
  ['LocalLLM.unload("nosuch")', "Model 'nosuch' not found"],
  ['LocalLLM.pull("a/b/c")', "Invalid model spec 'a/b/c'"],
];

describe("a wrong command", () => {
  test("is answered with what is wrong and a next step", async () => {
    using box = new Sandbox();
    const mini = await Bun.file(SPELL_MINI).bytes();
    box.write("mini.gguf", mini);
    box.write("cut.gguf", mini.subarray(0, 2_000_000));
    box.write("text.json", "{}");
    mkdirSync(join(box.cwd, "empty"));
    for (const [words, code, message, next] of COMMANDS) {
      const done = await box.run(words.split(" "));
      const [first, second] = done.stderr.split("\n");
      expect([words, done.code, done.stdout]).toEqual([words, code, ""]);
      expect(first).toContain(message);
      expect(second).toStartWith("  Next: ");
      expect(second).toContain(next);
    }
  });
});

describe("a wrong call of a script", () => {
  test("raises what is wrong, and the next call works", async () => {
    using box = new Sandbox();
    const calls = CALLS.map(([call]) => `function() return ${call} end,`).join("\n");
    const done = await box.lua(`
      local count = 0
      local function ask(options, input)
        count = count + 1
        options.name, options.model = "a" .. count, options.model or "local/spell-mini"
        return Agent.create(options):execute(input or "What is 2 + 3?").text
      end
      for i, call in ipairs({ ${calls} }) do print(pcall(call)) end
      print(ask { tools = { "calculator" } })`);
    expect([done.code, done.stderr]).toEqual([0, ""]);
    const lines = done.stdout.trimEnd().split("\n");
    expect(lines.pop()).toBe("The answer is 5.");
    for (const [i, [call, message]] of CALLS.entries()) {
      expect([call, lines[i]?.split("\t")[0]]).toEqual([call, "false"]);
      expect(lines[i]).toContain(message);
    }
  });
});
