/** Commands on the store, killed by SIGKILL at random moments: what was there stays, and nothing else is left. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { generateModel, SPELL_MINI } from "../../support/gguf-models.ts";
import { HubBox } from "../../support/hub/box.ts";
import { uniform } from "../../support/random.ts";
import { writeT5Directory } from "../../support/t5.ts";

const KILLS = 20;

const kept = readFileSync(SPELL_MINI);

/** Runs a command and kills it at a random moment, so often; `look` then sees the store as the next command finds it. */
async function killing(
  box: HubBox,
  command: (round: number) => string[],
  seed: number,
  look: (ids: string[]) => void,
) {
  const random = uniform(seed);
  const startedMs = performance.now();
  expect((await box.model(command(0))).code).toBe(0);
  const wholeMs = performance.now() - startedMs; // later kills hit nothing
  let killed = 0;
  for (let i = 0; i < KILLS; i++) {
    const proc = box.start(["-c", "my.toml", "model", ...command(i)]);
    await Promise.race([proc.exited, Bun.sleep(random() * wholeMs)]);
    proc.kill("SIGKILL");
    if ((await proc.exited) !== 0) killed++;
    const { code, document } = await box.model(["list"]);
    expect({ code, downloads: document.downloads ?? [] }).toEqual({ code: 0, downloads: [] });
    const hidden = readdirSync(box.store).filter((name) => name.startsWith(".") && name !== ".locks");
    expect(hidden).toEqual([]);
    look((document.models as { id: string }[]).map(({ id }) => id).filter((id) => id !== "spell-mini"));
  }
  expect(killed).toBeGreaterThan(0);
  expect((await box.model(command(0))).code).toBe(0);
}

/** A store with one model, whose bytes are known. */
async function filled(): Promise<HubBox> {
  const box = new HubBox();
  box.configure({});
  expect((await box.model(["import", SPELL_MINI, "--name", "kept:x"])).code).toBe(0);
  return box;
}

test("import that replaces a model leaves the old one or the new one", async () => {
  using box = await filled();
  const other = readFileSync(generateModel(box.root, "llama-f32"));
  const paths = [box.write("other.gguf", other), SPELL_MINI] as const;
  const command = (round: number) => ["import", paths[round % 2]!, "--name", "kept:x", "--force"];
  await killing(box, command, 1, (ids) => {
    expect(ids).toEqual(["kept:x"]);
    expect(box.stored()).toEqual(["kept/x/kept.gguf", "kept/x/model.json"]);
    const bytes = box.bytes("kept/x/kept.gguf");
    expect(bytes.equals(kept) || bytes.equals(other)).toBe(true);
    const { sizeBytes } = JSON.parse(box.bytes("kept/x/model.json").toString());
    expect(sizeBytes).toBe(bytes.length);
  });
});

test("a conversion leaves the whole model or none", async () => {
  using box = await filled();
  const directory = writeT5Directory(box.cwd, "flan-t5-f32");
  await killing(
    box,
    () => ["import", directory, "--name", "t5:x", "--force"],
    2,
    (ids) => {
      expect(["kept:x", "kept:x,t5:x"]).toContain(ids.join());
      expect(box.bytes("kept/x/kept.gguf").equals(kept)).toBe(true);
      if (ids.length < 2) return;
      const { sizeBytes } = JSON.parse(box.bytes("t5/x/model.json").toString());
      expect(statSync(join(box.store, "t5/x/t5.gguf")).size).toBe(sizeBytes);
    },
  );
});

test("an export leaves a whole bundle or none, and the next one clears what was begun", async () => {
  using box = await filled();
  const bundle = join(box.cwd, "kept.tar");
  await killing(
    box,
    () => ["export", "kept:x", bundle, "--force"],
    3,
    (ids) => {
      expect(ids).toEqual(["kept:x"]);
      if (!readdirSync(box.cwd).includes("kept.tar")) return;
      expect(Bun.spawnSync(["tar", "-tf", bundle]).exitCode).toBe(0);
    },
  );
  expect(readdirSync(box.cwd).sort()).toEqual(["kept.tar", "my.toml"]);
});
