/** What keys of `[runtime.sessions]` change, seen from a script and on the disk. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";

const LASTING = '[runtime.sessions]\nenabled = true\nstorage_backend = "sqlite"\n';

async function lua(box: Sandbox, keys: string, source: string): Promise<string> {
  box.write("c.toml", LASTING + keys);
  const done = await box.lua(source, { args: ["-c", "c.toml"] });
  expect([done.stderr, done.code]).toEqual(["", 0]);
  return done.stdout;
}

describe("artifact_compression_threshold", () => {
  /** Sizes, and whether each content is compressed. */
  const STORE = `local id = Session.create()
    for _, n in ipairs({50, 51, 10240, 10241}) do Artifact.store(id, "note", "n" .. n, ("x"):rep(n)) end
    for _, r in ipairs(Artifact.list(id)) do io.write(r.size, r.is_compressed and "+" or "-", r.stored_size < r.size and "+ " or "- ") end`;

  test.each([
    ["", "50-- 51-- 10240-- 10241++ "],
    ["artifact_compression_threshold = 50\n", "50-- 51++ 10240++ 10241++ "],
    ["artifact_compression_threshold = 0\n", "50-- 51-- 10240-- 10241-- "],
  ])("%p compresses what is larger", async (keys, expected) => {
    using box = new Sandbox();
    expect(await lua(box, keys, STORE)).toBe(expected);
  });
});

describe("storage_path", () => {
  const STORE = `math.randomseed(1)
    local t = {} for i = 1, 400000 do t[i] = string.char(math.random(0, 255)) end
    local id = Session.create() local a = Artifact.store(id, "note", "large", table.concat(t))
    print(#Artifact.get(id, a).content)`;
  const filesIn = (path: string) =>
    (readdirSync(path, { recursive: true }) as string[]).filter((name) => /[0-9a-f]{62}$/.test(name)).length;

  test("is where large artifacts lie; in the data directory where it is not set", async () => {
    using box = new Sandbox();
    expect(await lua(box, "", STORE)).toBe("400000\n");
    expect(filesIn(join(box.home, ".llmspell/artifacts"))).toBe(1);
    expect(existsSync(join(box.cwd, "sessions"))).toBe(false);
    using other = new Sandbox();
    expect(await lua(other, 'storage_path = "./large"\n', STORE)).toBe("400000\n");
    expect(filesIn(join(other.cwd, "large"))).toBe(1);
    expect(existsSync(join(other.home, ".llmspell/artifacts"))).toBe(false);
  });
});

describe("persist_interval_seconds", () => {
  const WAIT = `local sub = Event.subscribe("session.saved")
    local id = Session.create({name = "kept"}) Session.set_state(id, "k", 1)
    local event = Event.receive(sub, 2500)
    print(event and event.data.session_id == id)`;

  test.each([
    [1, "true\n"],
    [0, "nil\n"],
    [300, "nil\n"],
  ])("%p: a session that did something is saved meanwhile: %p", async (seconds, expected) => {
    using box = new Sandbox();
    expect(await lua(box, `persist_interval_seconds = ${seconds}\n`, WAIT)).toBe(expected);
  });
});
