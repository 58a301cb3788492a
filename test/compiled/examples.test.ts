import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Glob } from "bun";
import { EXECUTABLE, type Finished, Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";

/** A network namespace without interfaces; scripts that serve themselves have the loopback one. */
const APART = ["unshare", "-rn"];
const APART_WITH_LOOPBACK = [...APART, "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
const canBeApart = Bun.spawnSync([...APART, "true"], { stderr: "ignore" }).success;
const hasOwnServer = (script: string): boolean => script.endsWith(".sh");

/**
 * What each example prints. Digests, encodings and identifiers were computed with coreutils and Python's uuid module;
 * answers of the model are the ones its evaluation expects (models/spell-mini/README.md).
 */
const EXPECTED: Record<string, { options?: string[]; args?: string[]; lines: (string | RegExp)[] }> = {
  "quickstart.lua": { lines: ["What is 12*7+3?", /\b87\b/] },
  "hello.lua": {
    lines: ["Hello from Lua 5.4", /Agent.*Config.*Debug.*JSON.*LocalLLM.*Provider.*State.*Streaming.*Tool/],
  },
  "arguments.lua": {
    args: ["first", "--name", "Ada", "--verbose"],
    lines: ["script\targuments.lua", "first positional\tfirst", "name\tAda", "verbose\ttrue", "1\tfirst"],
  },
  "tools.lua": {
    lines: [
      "2 + 2 * 3 =\t8",
      "sha256(abc) =\tba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "base64 =\tbGxtc3BlbGw=",
      "snake_case =\thello_brave_world",
      "uuid v5 =\tcfbff0d1-9375-5685-968c-48ce8b15ae17",
      /^two days after 28 February 2024 =\t2024-03-01/,
      "template =\tDear Ada, 3 items",
      'jq =\t["a","b"]',
      /^false\t.*Tool 'calculater' not found.*/,
    ],
  },
  "budget.lua": {
    lines: ["answered", "answered", 'the calls budget of agent "ada" is 2', "calls:\t2\tleft:\t0"],
  },
  "conversation.lua": { lines: [/./, /Ada/] },
  "streaming.lua": { lines: ["chunks received:\ttrue", /^answer:\t.*87/, "squares:\t1 4 9 16"] },
  "ollama.lua": { lines: ["Ollama:\tfalse\tNot configured", /^local\/spell-mini\t.*87/] },
  "providers.lua": {
    lines: [
      "answered by\tllamacpp/spell-mini",
      "Hello! How can I help you?",
      /^false\t.*MISTRAL_API_KEY is not set/,
    ],
  },
  "own-tool.lua": { lines: ["sunny", /42/] },
  "modules/main.lua": { lines: ["hello, world"] },
  "errors.lua": {
    lines: [/^build:\tfalse\t.*nowhere/, /^calculator:\tfalse\terror: ./, "file:\tfalse\ttrue"],
  },
  "files.lua": { lines: ["written:\ttrue", "first line", "second line", "still there:\tfalse"] },
  "events.lua": {
    lines: [
      "order.created\t7",
      "order.paid\t7",
      "error in payment\tcard expired",
      "error in stock\tno milk left",
      "errors\t2",
      "timeline\t2\tResponseTo",
      "past orders\t2",
    ],
  },
  "state.lua": {
    lines: [
      "run number:\t1",
      "profile:\tAda\t2\ttrue",
      "keys of ada:\tprofile theme",
      "theme of bob:\tnil",
      "mood:\tcurious\ttrue",
      "draft:\tnot stored",
      "theme of ada:\tnil",
    ],
  },
  "debug.lua": { lines: [/WARN \[example\] shown$/, "took time:\ttrue", "captured:\t1", /value/] },
  "hooks.lua": {
    lines: [
      "changed:\t42",
      "refused:\tfalse\tdivision by zero is not asked here",
      "repeated:\tdone\t3",
      "cached:\trun 1\trun 1",
      "measured:\t3",
      "hooks:\tmetrics",
    ],
  },
  "structured.lua": {
    lines: ["person:\tinteger\tstring\ttrue", /^vote:\t(yes|no)$/, /^false\t.*"not" cannot be held: #$/],
  },
  "embeddings.lua": {
    lines: ["dimensions:\t256\tvectors:\t3", "nearest:\tWhat is 12 + 30?", "to itself:\t1.000"],
  },
  "metrics.lua": {
    lines: ["words:\t11", "beginning with a:\t3", "longest, median:\t6\t4", "hashes:\t3\t0", "timed:\ttrue"],
  },
  "team.lua": {
    lines: [
      ...["ann", "bob", "cas"].map((name) => `team\t${name}\tThe answer is 42.`),
      /^ann\t.*87/,
      /^bob\t.*42/,
      /^cas\t.*12\.5/,
    ],
  },
  "sessions.lua": {
    options: ["--profile", "sessions"],
    lines: [
      "total:\t1545",
      "versions:\t1\t2",
      "content:\tTotal: 1545",
      "drafts:\t1",
      "replayed:\t2\tmismatches:\t0",
      "with another input, mismatches:\t1",
      "status:\tcompleted",
      "false\tInvalid session state transition from Completed to Active",
    ],
  },
  "serve.sh": {
    lines: [
      /^\{"object":"list","data":\[\{"id":"spell-mini"/,
      /^\{.*"object":"chat.completion".*"content":"Hello! How can I help you\?"/,
      /^\{.*"object":"chat.completion".*"content":"\\"(yes|no)\\""/,
      /^\{"object":"list","data":\[\{"object":"embedding","index":0,"embedding":\[[-0-9]/,
    ],
  },
  "air-gapped.sh": {
    args: [SPELL_MINI],
    lines: [
      "On the machine that has the model:",
      "Model imported as carried:Q8_0",
      "Use it as local/carried:Q8_0",
      /^Model carried:Q8_0 written to /,
      /^Take it in with: llmspell model import /,
      "On any machine, with tar and coreutils alone:",
      "carried.gguf: OK",
      "On the machine without a network:",
      "Model imported as carried:Q8_0",
      "Use it as local/carried:Q8_0",
      "spell-mini",
      "carried:Q8_0",
      "Hello! How can I help you?",
    ],
  },
  "workflows/sequential.lua": {
    lines: [
      "Sequential workflow 'report' completed successfully",
      "Apples: 42",
      /42/,
      /^false\tWorkflow execution error: step "bad" failed: ./,
      "false\tpartially_completed\t42\t1",
    ],
  },
  "workflows/parallel.lua": {
    lines: ["all have answered", /^ann\t.*87/, /^bob\t.*42/, /^cas\t.*12\.5/, "3 of 3", "2"],
  },
  "workflows/conditional.lua": {
    lines: ["1200: ask the boss", "120: ask a colleague", "12: just pay", "thoroughly", "quickly"],
  },
  "workflows/loop.lua": {
    lines: ["1 4 9 16 25", "0: ADA, AUTHOR", "1: BOB, READER", "128\t7\tbreak_condition"],
  },
  "workflows/nested.lua": {
    lines: [
      "apples\t25",
      "pears\t25",
      "sum\t50",
      "valid\ttrue",
      'false\tCannot run workflow "b": it is a step of itself: b → a → b',
    ],
  },
  "workflows/durable.lua": {
    lines: [
      /^first:\tfalse\tWorkflow execution error: step "mail" failed: .*the mail server is down/,
      "then:\tsent: charged 42",
      "charged:\t1\trestored:\t1",
      "again:\tsent: charged 42\t1",
    ],
  },
  "local-models.lua": {
    lines: ["embedded backend ready:\ttrue\tmodels:\ttrue", /^spell-mini.*4\.9 MB/, "tools:\tyes"],
  },
};

describe("every script of examples/", () => {
  // The executable alone, far from the project and its node_modules.
  const place = mkdtempSync(join(tmpdir(), "llmspell-alone-"));
  const executable = join(place, "llmspell");
  copyFileSync(EXECUTABLE, executable);
  afterAll(() => {
    expect(readdirSync(place)).toEqual(["llmspell"]);
    rmSync(place, { recursive: true });
  });

  test("has its expected output here", () => {
    const scripts = [...new Glob("**/*.{lua,sh}").scanSync("examples")].filter(
      (f) => f !== "modules/greet.lua",
    );
    expect(scripts.sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  const run = (box: Sandbox, script: string, before: readonly string[]) => {
    const { options = [], args = [] } = EXPECTED[script]!;
    cpSync("examples", join(box.root, "examples"), { recursive: true });
    const path = join(box.root, "examples", script);
    const [program, ...words] = script.endsWith(".sh")
      ? [...before, "/bin/sh", path, ...args]
      : [...before, executable, ...options, "run", path, ...(args.length === 0 ? [] : ["--", ...args])];
    return box.run(words, {
      executable: program!,
      env: { NO_COLOR: "1", PATH: `${place}${delimiter}${box.env.PATH}` },
    });
  };

  const check = (script: string, box: Sandbox, done: Finished) => {
    expect([done.code, done.stderr]).toEqual([0, ""]);
    expect(readdirSync(box.tmp)).toEqual([]);
    const printed = done.stdout.trimEnd().split("\n");
    for (const [i, line] of EXPECTED[script]!.lines.entries()) {
      if (typeof line === "string") expect(printed[i]).toBe(line);
      else expect(printed[i] ?? "").toMatch(line);
    }
  };

  for (const script of Object.keys(EXPECTED)) {
    test(`${script} runs from an empty directory and prints what it says`, async () => {
      using box = new Sandbox();
      check(script, box, await run(box, script, []));
    });

    const hasLoopback = !hasOwnServer(script) || Bun.which("ip") !== null;
    test.skipIf(!canBeApart || !hasLoopback)(`${script} does so without a network`, async () => {
      using box = new Sandbox();
      check(script, box, await run(box, script, hasOwnServer(script) ? APART_WITH_LOOPBACK : APART));
    });
  }
});

describe("the README", () => {
  test("shows examples/quickstart.lua as it stands, and its output", async () => {
    const readme = await Bun.file("README.md").text();
    expect(readme).toContain(await Bun.file("examples/quickstart.lua").text());
    using box = new Sandbox();
    cpSync("examples", join(box.root, "examples"), { recursive: true });
    const done = await box.run(["run", join(box.root, "examples/quickstart.lua")]);
    expect(readme).toContain(`$ llmspell run examples/quickstart.lua\n${done.stdout}`);
  });

  test("names the Bun version that package.json pins", async () => {
    const pinned = (await Bun.file("package.json").json()).packageManager as string;
    const named = [...(await Bun.file("README.md").text()).matchAll(/bun@\d[\w.]*/g)].map(([m]) => m);
    expect(new Set(named)).toEqual(new Set([pinned]));
  });
});
