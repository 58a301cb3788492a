/** The part of the soak `disk` that mounts: it runs in a mount namespace of its own (disk.ts). Exit code 77: cannot mount. */
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import { between, check, checkSound, type Ended, ended, filesBelow, type SoakOptions } from "./soak.ts";

type Random = () => number;

const GUARD_MS = 60_000;
const KIB = 1024;
const ROOMY = 400_000 * KIB;
const CANNOT_MOUNT = 77;

function mount(...args: string[]): void {
  const done = Bun.spawnSync(["mount", ...args], { stdout: "ignore", stderr: "pipe" });
  if (done.exitCode === 0) return;
  console.error(done.stderr.toString());
  process.exit(CANNOT_MOUNT);
}

/** A sandbox whose home is a disk of `bytes`; with `everywhere` so are the temporary directories. */
class SmallDisk implements Disposable {
  readonly box = new Sandbox();
  private readonly mounts: string[] = [];

  constructor(bytes: number, everywhere: boolean) {
    for (const directory of everywhere ? [this.box.home, this.box.tmp, "/dev/shm"] : [this.box.home]) {
      mount("-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "none", directory);
      this.mounts.push(directory);
    }
  }

  /** Makes room, as a user would who has read the message. */
  grow(): void {
    for (const directory of this.mounts) mount("-o", `remount,size=${ROOMY}`, directory);
  }

  /** Takes what is free now, but for `left` bytes. */
  fill(left: number): void {
    const { bavail, bsize } = statfsSync(this.box.home);
    const bytes = Math.max(0, bavail * bsize - left);
    try {
      writeFileSync(join(this.box.home, "filler"), new Uint8Array(bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error; // others were faster, and it is full
    }
  }

  [Symbol.dispose](): void {
    for (const directory of this.mounts.reverse()) Bun.spawnSync(["umount", directory]);
    this.box[Symbol.dispose]();
  }
}

const AGENT = `
local agent = Agent.builder():name("a"):model("local/spell-mini"):allow_tool("calculator"):build()
print(agent:execute("What is 12*7+3?").text)`;

const FULL = /no space left|disk has .* free|disk is full|ENOSPC/i;

/** It worked, or it failed and said that the disk is full. */
function judge(end: Ended, what: string): boolean {
  checkSound(end, what);
  if (end.code === 0) return true;
  check(
    end.code === 1 && FULL.test(end.stderr),
    `${what}: exit code ${end.code}, or a message that hides the cause`,
    end,
  );
  return false;
}

const run = async (box: Sandbox, what: string, ...args: string[]): Promise<Ended> =>
  ended(box.start(args), GUARD_MS, what);

type Case = (random: Random) => Promise<boolean>;

const extraction =
  (everywhere: boolean): Case =>
  async (random) => {
    const bytes = between(random, 64, 45_000) * KIB;
    using disk = new SmallDisk(bytes, everywhere);
    const what = `extraction onto ${everywhere ? "disks" : "a home"} of ${bytes} bytes`;
    const { box } = disk;
    box.write("agent.lua", AGENT);
    const first = judge(await run(box, what, "run", "agent.lua"), what);
    check(first || everywhere, `${what}: another place had room`);
    const partial = filesBelow(join(box.home, ".cache")).filter((path) => path.includes("partial-"));
    check(partial.length === 0, `${what}: left half-written`, partial);
    const elsewhere = [...filesBelow(box.tmp), ...filesBelow("/dev/shm")].filter(
      (path) => /llmspell/.test(path) && !/llmspell-test/.test(path),
    );
    check(elsewhere.length === 0, `${what}: left in a temporary directory`, elsewhere);
    disk.grow();
    const next = await run(box, what, "run", "agent.lua");
    check(next.code === 0 && next.stdout.includes("87"), `${what}: the run after it fails`, next);
    return first;
  };

const modelImport: Case = async (random) => {
  const room = between(random, 0, 24_000) * KIB;
  using disk = new SmallDisk(48_000 * KIB, false);
  const { box } = disk;
  const what = `an import with ${room} bytes free`;
  const late = random() < 0.5; // the disk fills up while the copy is made
  if (!late) disk.fill(room);
  const proc = box.start(["model", "import", SPELL_MINI, "--name", "copy:x"]);
  if (late) {
    await Bun.sleep(between(random, 0, 60));
    disk.fill(between(random, 0, 3_000) * KIB);
  }
  const worked = judge(await ended(proc, GUARD_MS, what), what);
  const store = join(box.home, ".llmspell/models/llamacpp");
  const files = filesBelow(store).filter((path) => path.endsWith(".gguf"));
  check(files.length === (worked ? 1 : 0), `${what}: the store`, filesBelow(store));
  check(
    !filesBelow(store).some((path) => path.startsWith(".import-")),
    `${what}: left half-written`,
    filesBelow(store),
  );
  disk.grow();
  const again = await run(box, what, "model", "import", SPELL_MINI, "--name", "copy:x", "--force");
  check(again.code === 0, `${what}: the import after it fails`, again);
  const path = join(store, filesBelow(store).find((file) => file.endsWith(".gguf"))!);
  check(readFileSync(path).equals(readFileSync(SPELL_MINI)), `${what}: the copy differs`);
  return worked;
};

/** Writing, appending and copying: the old content stays, or the new is whole. */
const fileOperations: Case = async (random) => {
  using disk = new SmallDisk(4_000 * KIB, false);
  const { box } = disk;
  const operation = ["write", "append", "copy"][between(random, 0, 3)]!;
  const target = join(box.home, "target.txt");
  const source = join(box.home, "source.txt");
  const old = "old\n".repeat(1000);
  const added = "n".repeat(between(random, 1, 1_500) * KIB);
  writeFileSync(target, old);
  if (operation === "copy") writeFileSync(source, added);
  const left = between(random, 0, 1_800) * KIB;
  disk.fill(left);
  box.write("files.toml", `[tools.file_operations]\nallowed_paths = ["${box.home}"]\n`);
  const params =
    operation === "copy"
      ? `source_path = "${source}", target_path = "${target}"`
      : `path = "${target}", content = ("n"):rep(${added.length})`;
  box.write(
    "write.lua",
    `local r = Tool.execute("file-operations", { operation = "${operation}", ${params} })\nif not r.success then error(r.error.message or r.error) end`,
  );
  const what = `${operation} of ${added.length} bytes with ${left} free`;
  const worked = judge(await run(box, what, "-c", "files.toml", "run", "write.lua"), what);
  const now = readFileSync(target, "utf8");
  const whole = operation === "append" ? old + added : added;
  check(
    now === (worked ? whole : old),
    `${what}: ${worked ? "worked" : "failed"}, and the file has ${now.length} bytes`,
  );
  const names = filesBelow(box.home).filter((path) => !["target.txt", "source.txt", "filler"].includes(path));
  check(!names.some((path) => !path.startsWith(".")), `${what}: left behind`, names);
  return worked;
};

/** Trust is remembered whole or not at all; a configuration file is whole or not there. */
const settings: Case = async (random) => {
  using disk = new SmallDisk(1_000 * KIB, false);
  const { box } = disk;
  const left = between(random, 0, 12) * 4 * KIB;
  disk.fill(left);
  const what = `settings with ${left} bytes free`;
  box.write("llmspell.toml", "[runtime.security]\nallow_file_access = true\n");
  const trusted = judge(await run(box, what, "config", "trust", "llmspell.toml"), `${what}: trust`);
  const seen = await run(box, what, "exec", "return io.open ~= nil and io.open('/etc/hostname') ~= nil");
  check(seen.code === 0 && seen.stdout.trim() === String(trusted), `${what}: trusted is ${trusted}`, seen);
  const path = join(box.home, "config.toml");
  const written = judge(await run(box, what, "config", "init", "--output", path), `${what}: init`);
  check(
    existsSync(path) === written,
    `${what}: a configuration file is ${written ? "missing" : "left"}`,
    filesBelow(box.home),
  );
  if (written) {
    const valid = await run(box, what, "-c", path, "config", "validate");
    check(valid.code === 0, `${what}: the configuration file is not whole`, valid);
  }
  return trusted && written;
};

/** A backup is there whole or not at all; one that was there is restored or the state stays as it is. */
const backups: Case = async (random) => {
  using disk = new SmallDisk(16_000 * KIB, false);
  const { box } = disk;
  box.write(
    "backup.toml",
    `[runtime.state_persistence.backup]\nbackup_dir = "${join(box.home, "backups")}"\n`,
  );
  const backup = (what: string, ...args: string[]) =>
    run(box, what, "-c", "backup.toml", "--output", "json", ...args);
  const values = Array.from({ length: 200 }, (_, i) => [
    `global:k${i}`,
    String(random()).repeat(between(random, 1, 200)),
  ]);
  box.write("values.json", JSON.stringify(Object.fromEntries(values)));
  checkSound(await backup("an import", "state", "import", "values.json"), "an import");
  const first = JSON.parse((await backup("a backup", "backup", "create")).stdout);
  checkSound(await backup("a change", "state", "set", "k0", "changed"), "a change");
  const left = between(random, 0, 20) * 4 * KIB;
  disk.fill(left);
  const what = `a backup with ${left} bytes free`;
  const restores = random() < 0.5;
  const args = restores ? ["backup", "restore", first.backup_id] : ["backup", "create"];
  const worked = judge(await backup(what, ...args), what);
  disk.grow();
  const { backups: listed } = JSON.parse((await backup(what, "backup", "list")).stdout);
  check(restores || listed.length === (worked ? 2 : 1), `${what}: the backups`, listed);
  for (const { id } of listed) {
    const { stdout } = await backup(what, "backup", "validate", id);
    check(JSON.parse(stdout).is_valid === true, `${what}: a backup is damaged`, stdout);
  }
  const shown = JSON.parse((await backup(what, "state", "get", "k0")).stdout);
  check(
    shown === (restores && worked ? values[0]![1] : "changed"),
    `${what}: the state is neither the old one nor the new`,
    shown,
  );
  const again = await backup(what, "backup", "create");
  check(again.code === 0, `${what}: the backup after it fails`, again);
  const remains = filesBelow(join(box.home, "backups")).filter((path) => path.endsWith(".tmp"));
  check(remains.length === 0, `${what}: left half-written`, remains);
  return worked;
};

/** A key is stored, or the keys that were there are. */
const keys: Case = async (random) => {
  using disk = new SmallDisk(1_000 * KIB, false);
  const { box } = disk;
  checkSound(await run(box, "a key", "keys", "add", "first", "sk-first-0123456789"), "a key");
  const left = between(random, 0, 3) * 4 * KIB;
  disk.fill(left);
  const what = `a key with ${left} bytes free`;
  const worked = judge(await run(box, what, "keys", "add", "second", "sk-second-0123456789"), what);
  const { keys: listed } = JSON.parse((await run(box, what, "keys", "list", "--output", "json")).stdout);
  const names = listed.map((key: { provider: string; masked: string }) => `${key.provider} ${key.masked}`);
  const expected = ["first sk-…6789", ...(worked ? ["second sk-…6789"] : [])];
  check(names.join() === expected.join(), `${what}: the keys`, names);
  return worked;
};

const CASES: readonly [name: string, test: Case][] = [
  ["extraction, full everywhere", extraction(true)],
  ["extraction, full home", extraction(false)],
  ["model import", modelImport],
  ["file operations", fileOperations],
  ["settings", settings],
  ["backups", backups],
  ["keys", keys],
];

async function main(): Promise<void> {
  const { seed, full } = JSON.parse(process.env.SOAK_OPTIONS!) as SoakOptions;
  const random = uniform(seed);
  const each = full ? 30 : 2;
  const figures: Record<string, string> = {};
  mkdirSync("/dev/shm", { recursive: true });
  for (const [name, test] of CASES) {
    let worked = 0;
    for (let i = 0; i < each; i++) if (await test(random)) worked++;
    figures[name] = `${each} (${each - worked} refused)`;
  }
  console.log(JSON.stringify(figures));
}

await main();
