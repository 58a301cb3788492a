/** Recordings that cannot be written, that are written over, and replays that ask for other vectors and scores. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generateBert } from "../../support/bert.ts";
import { EXECUTABLE } from "../../support/cli.ts";
import { CallsSandbox, PAID } from "./support.ts";

const ASK = `print(Agent.create{name = "a", model = "ci/scripted"}:execute("Hello").text)`;

/** A user's own mount namespace, where a small disk can be put. */
const INSIDE = ["unshare", "-rm"];
const canMount = Bun.spawnSync([...INSIDE, "mount", "-t", "tmpfs", "none", "/mnt"], {
  stderr: "ignore",
}).success;

/** Runs with recordings of different lengths on a disk of two pages; `kept.N` is what is left on it, `out.N` what was said. */
const FILL = `
mount -t tmpfs -o size=8k,mode=0700 none disk || exit 77
for pad in $PADS; do
  rm -f disk/run.jsonl
  "$LLMSPELL" --config calls.toml $OPTIONS run script.lua --record disk/run.jsonl -- --pad $pad > out.$pad 2> err.$pad
  echo $? > code.$pad
  cp disk/run.jsonl kept.$pad
done
`;
const PADS = Array.from({ length: 12 }, (_, i) => 200 + 331 * i);

const LONG = `
local a = Agent.create{name = "a", model = "ci/scripted", memory_enabled = false}
for i = 1, 3 do print(i, a:execute(("x"):rep(tonumber(ARGS.pad))).text) end
`;

async function filled(box: CallsSandbox, ...options: string[]): Promise<void> {
  mkdirSync(box.file("disk"));
  box.write("script.lua", LONG);
  const env = { ...box.env, LLMSPELL: EXECUTABLE, PADS: PADS.join(" "), OPTIONS: options.join(" ") };
  const proc = Bun.spawn([...INSIDE, "/bin/sh", "-c", FILL], { cwd: box.cwd, env, stderr: "pipe" });
  expect([await proc.exited, await new Response(proc.stderr).text()]).toEqual([0, ""]);
}

describe.skipIf(!canMount)("A recording on a disk that fills up", () => {
  test("ends the run with an error that says so, wherever it was, and what is there can be replayed", async () => {
    using box = new CallsSandbox();
    await filled(box);
    const read = (name: string, pad: number) => readFileSync(box.file(`${name}.${pad}`), "utf8");
    let whole = 0;
    for (const pad of PADS) {
      const [out, err, kept] = [read("out", pad), read("err", pad), read("kept", pad)];
      // no line is cut, and none is missing between two
      expect(kept.endsWith("\n")).toBe(true);
      for (const line of kept.trimEnd().split("\n")) JSON.parse(line);
      if (read("code", pad) === "0\n") {
        whole++;
        expect([out.split("\n").length, err]).toEqual([4, ""]);
        continue;
      }
      expect([read("code", pad), err.match(/the disk is full/g)?.length]).toEqual(["1\n", 1]);
      expect(err).toContain("Cannot record '");
      expect(err).toContain("run.jsonl'");
      const replayed = await box.run([
        "run",
        "script.lua",
        "--replay",
        `kept.${pad}`,
        "--",
        "--pad",
        String(pad),
      ]);
      // what could not be written may be what only the end of the run had read
      expect(replayed.code).toBe(replayed.stdout.split("\n").length === 4 ? 0 : 1);
      expect(out.startsWith(replayed.stdout) || replayed.stdout.startsWith(out)).toBe(true);
    }
    // short ones fit, long ones don't
    expect(whole).toBeGreaterThan(0);
    expect(whole).toBeLessThan(PADS.length);
  }, 60_000);

  test("gives one document in JSON", async () => {
    using box = new CallsSandbox();
    await filled(box, "--output", "json");
    for (const pad of PADS) {
      const document = JSON.parse(readFileSync(box.file(`out.${pad}`), "utf8"));
      const code = readFileSync(box.file(`code.${pad}`), "utf8");
      expect([code, document.status]).toEqual(code === "0\n" ? ["0\n", "success"] : ["1\n", "error"]);
    }
  }, 60_000);
});

describe("[recording]", () => {
  test("refuses to write over a file, and does where overwrite is set", async () => {
    const config = `${PAID}\n[recording]\nrecord = "run.jsonl"\n`;
    using box = new CallsSandbox(config);
    expect((await box.script(ASK)).code).toBe(0);
    const first = readFileSync(box.file("run.jsonl"), "utf8");
    const refused = await box.script(ASK.replace("Hello", "Again"));
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("Cannot record: the file exists");
    expect(readFileSync(box.file("run.jsonl"), "utf8")).toBe(first);

    box.write("calls.toml", `${config}overwrite = true\n`);
    expect((await box.script(ASK.replace("Hello", "Again"))).code).toBe(0);
    const second = readFileSync(box.file("run.jsonl"), "utf8");
    expect([second.includes('"Again"'), second.includes('"Hello"')]).toEqual([true, false]);
    using replaying = new CallsSandbox(`[recording]\nreplay = "${box.file("run.jsonl")}"\n`);
    expect((await replaying.script(ASK.replace("Hello", "Again"))).stdout).toBe("one two three\n");
  });
});

describe("A replay that asks for what was not recorded", () => {
  test("is told the nearest vectors and how they differ", async () => {
    using box = new CallsSandbox();
    const embed = (texts: string) =>
      `print(LocalLLM.embed("spell-mini", {"first text", "other"}).dimensions, LocalLLM.embed("spell-mini", ${texts}).dimensions)`;
    const recorded = await box.script(embed(`{"What is 2+2?", "a cat"}`), "--record", "run.jsonl");
    expect([recorded.stdout, recorded.stderr]).toEqual(["256\t256\n", ""]);
    const same = await box.script(embed(`{"What is 2+2?", "a cat"}`), "--replay", "run.jsonl");
    expect(same.stdout).toBe(recorded.stdout);
    expect(existsSync(join(box.home, ".llmspell/models"))).toBe(false);
    const changed = await box.script(embed(`{"What is 2+2?", "a dog"}`), "--replay", "run.jsonl");
    expect([changed.code, changed.stdout]).toEqual([1, ""]);
    expect(changed.stderr).toContain(
      "Cannot replay: no such embedding by model was recorded: llamacpp/spell-mini",
    );
    const line = readFileSync(box.file("run.jsonl"), "utf8")
      .split("\n")
      .findIndex((text) => text.includes("a cat"));
    expect(changed.stderr).toContain(
      `Nearest is line ${line + 1} (llamacpp/spell-mini): values[1] was "a cat", is "a dog"`,
    );
  });

  test("is told the nearest scores and how they differ", async () => {
    using box = new CallsSandbox();
    const path = generateBert(box.cwd, "bert-rank-f32");
    expect((await box.run(["model", "import", path, "--name", "ranker:test"])).code).toBe(0);
    const rank = (query: string) => `print(#LocalLLM.rank("ranker:test", "${query}", {"one", "two"}))`;
    expect((await box.script(rank("which?"), "--record", "run.jsonl")).stdout).toBe("2\n");
    expect((await box.script(rank("which?"), "--replay", "run.jsonl")).stdout).toBe("2\n");
    const changed = await box.script(rank("what?"), "--replay", "run.jsonl");
    expect(changed.code).toBe(1);
    expect(changed.stderr).toContain(
      "Cannot replay: no such ranking by model was recorded: llamacpp/ranker:test",
    );
    expect(changed.stderr).toMatch(
      /Nearest is line \d+ \(llamacpp\/ranker:test\): query was "which\?", is "what\?"/,
    );
  });
});
