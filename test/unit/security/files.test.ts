/** Expected behaviour: spec/tools.md sections 5.1 and 7.2; POSIX for modes and links. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Config } from "../../../src/config/schema.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { FileAccess } from "../../../src/security/capabilities.ts";
import { createCapabilities } from "../../../src/security/create.ts";
import { limitsOf, ResourceBudget } from "../../../src/security/limits.ts";
import { configWith } from "../../support/config.ts";
import { failure, removeDirectories, temporaryDirectory } from "../tools/support.ts";

afterAll(removeDirectories);

const root = join(import.meta.dir, "../../..");

type Rules = Partial<Config["tools"]["file_operations"]>;

function filesIn(home: string, rules: Rules = {}): FileAccess {
  const config = configWith((draft) => {
    Object.assign(draft.tools.file_operations, { allowed_paths: [home], ...rules });
  });
  return createCapabilities({
    config,
    env: {},
    workingDirectory: home,
    needs: ["files"],
    budget: new ResourceBudget(limitsOf("privileged")),
    signal: new AbortController().signal,
  }).files;
}

function world(rules: Rules = {}) {
  const home = temporaryDirectory();
  return { home, files: filesIn(home, rules) };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const modeOf = (path: string) => statSync(path).mode & 0o777;

describe.each([true, false])("files with atomic_writes = %p", (atomic_writes) => {
  test("come back as they were written, bytes included", async () => {
    const { files, home } = world({ atomic_writes });
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await files.write("all.bin", bytes);
    expect(new Uint8Array(readFileSync(join(home, "all.bin")))).toEqual(bytes);
    expect(await files.read("all.bin")).toEqual(bytes);
    await files.write("all.bin", "");
    expect((await files.read("all.bin")).length).toBe(0);
    expect(readdirSync(home)).toEqual(["all.bin"]);
  });

  test("keep their mode when they are replaced; new ones follow the umask", async () => {
    const { files, home } = world({ atomic_writes });
    writeFileSync(join(home, "old.sh"), "old");
    chmodSync(join(home, "old.sh"), 0o750);
    await files.write("old.sh", "new");
    expect(modeOf(join(home, "old.sh"))).toBe(0o750);
    await files.write("fresh.txt", "new");
    expect(modeOf(join(home, "fresh.txt"))).toBe(0o666 & ~process.umask());
  });

  test("are written through a link that stays inside; the link stays a link", async () => {
    const { files, home } = world({ atomic_writes });
    writeFileSync(join(home, "real.txt"), "old");
    symlinkSync("real.txt", join(home, "link.txt"));
    await files.write("link.txt", "new");
    expect(readFileSync(join(home, "real.txt"), "utf8")).toBe("new");
    expect(await files.info("link.txt")).toMatchObject({ type: "symlink", name: "link.txt" });
  });

  test("are not written into a directory, a missing directory or a named pipe", async () => {
    const { files, home } = world({ atomic_writes });
    mkdirSync(join(home, "dir"));
    Bun.spawnSync(["mkfifo", join(home, "pipe")]);
    expect((await failure(files.write("dir", "x"))).message).toContain("it is a directory");
    expect((await failure(files.write("no/x.txt", "x"))).code).toBe("not_found");
    expect((await failure(files.write("pipe", "x"))).message).toContain("not a regular file");
    expect(readdirSync(home).sort()).toEqual(["dir", "pipe"]);
  });
});

describe("files", () => {
  test("that many writers replace at once hold the whole content of one of them, for every reader", async () => {
    const { files, home } = world();
    const contents = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(70_000));
    await files.write("shared.txt", contents[0]!);
    const writers = contents.map((content) => files.write("shared.txt", content));
    const readers = Array.from({ length: 40 }, () => files.read("shared.txt"));
    for (const seen of await Promise.all(readers)) expect(contents).toContain(text(seen));
    await Promise.all(writers);
    expect(contents).toContain(readFileSync(join(home, "shared.txt"), "utf8"));
    expect(readdirSync(home)).toEqual(["shared.txt"]);
  });

  test("outside are never touched while somebody swaps a directory for a link to them", async () => {
    const { files, home } = world();
    const outside = temporaryDirectory();
    const dir = join(home, "dir");
    const parked = join(home, "parked");
    mkdirSync(dir);
    symlinkSync(outside, join(home, "trap"));
    const refused = new Set<string>();
    for (let round = 0; round < 150; round++) {
      const writing = files.write("dir/file.txt", `round ${round}`).catch((error: unknown) => {
        if (!(error instanceof SpellError)) throw error;
        refused.add(error.code);
      });
      renameSync(dir, parked);
      renameSync(join(home, "trap"), dir);
      await new Promise((resolve) => setImmediate(resolve));
      renameSync(dir, join(home, "trap"));
      renameSync(parked, dir);
      await writing;
    }
    expect(readdirSync(outside)).toEqual([]);
    expect([...refused].filter((code) => !["io", "not_found", "permission_denied"].includes(code))).toEqual(
      [],
    );
  });

  test("are appended to, and created by that", async () => {
    const { files, home } = world();
    await files.append("log.txt", "one\n");
    await files.append("log.txt", new Uint8Array([0xff, 0x0a]));
    expect([...readFileSync(join(home, "log.txt"))]).toEqual([...Buffer.from("one\n"), 0xff, 0x0a]);
  });

  test("with a second name elsewhere are not changed in place", async () => {
    const { files, home } = world();
    const outside = join(temporaryDirectory(), "original.txt");
    writeFileSync(outside, "original");
    linkSync(outside, join(home, "linked.txt"));
    expect((await failure(files.append("linked.txt", "more"))).code).toBe("permission_denied");
    const inPlace = filesIn(home, { atomic_writes: false });
    expect((await failure(inPlace.write("linked.txt", "x"))).message).toContain("several names");
    await files.write("linked.txt", "replaced");
    expect(readFileSync(outside, "utf8")).toBe("original");
  });

  test("larger than max_file_size are neither read nor written; what is there stays", async () => {
    const { files, home } = world({ max_file_size: 10 });
    await files.write("a.txt", "0123456789");
    expect((await failure(files.write("a.txt", "0123456789x"))).data).toMatchObject({
      allowed: 10,
      used: 11,
    });
    expect((await failure(files.append("a.txt", "x"))).code).toBe("limit");
    expect(text(await files.read("a.txt"))).toBe("0123456789");
    writeFileSync(join(home, "b.txt"), "x".repeat(11));
    expect((await failure(files.read("b.txt"))).message).toContain(
      "file size limit of 10 bytes exceeded: 11",
    );
    expect((await failure(files.copy("b.txt", "c.txt"))).code).toBe("limit");
    expect(readdirSync(home).sort()).toEqual(["a.txt", "b.txt"]);
  });

  test("of a terabyte are refused by their size alone", async () => {
    const { files, home } = world();
    writeFileSync(join(home, "huge.bin"), "");
    truncateSync(join(home, "huge.bin"), 2 ** 40);
    expect((await failure(files.read("huge.bin"))).data.used).toBe(2 ** 40);
  });

  test("that never end are stopped at the limit", async () => {
    const files = filesIn(temporaryDirectory(), { allowed_paths: ["*"], max_file_size: 100 });
    expect((await failure(files.read("/proc/self/mounts"))).code).toBe("limit");
    expect((await failure(files.read("/dev/zero"))).message).toContain("not a regular file");
  });

  test("that are named pipes are refused instead of waited for", async () => {
    const { files, home } = world();
    Bun.spawnSync(["mkfifo", join(home, "pipe")]);
    expect((await failure(files.read("pipe"))).code).toBe("io");
    expect((await failure(files.copy("pipe", "x"))).code).toBe("io");
    expect((await failure(files.append("pipe", "x"))).code).toBe("io");
  });

  test("hiding a program under a harmless name are not written, copied or moved", async () => {
    const { files, home } = world({ blocked_extensions: [] });
    const program = readFileSync("/bin/true");
    expect((await failure(files.write("notes.txt", program))).message).toContain("an ELF program");
    expect((await failure(files.append("notes.txt", program.subarray(0, 100)))).code).toBe(
      "permission_denied",
    );
    await files.write("true.bin", program);
    expect((await failure(files.copy("true.bin", "notes.txt"))).code).toBe("permission_denied");
    expect((await failure(files.move("true.bin", "notes.txt"))).code).toBe("permission_denied");
    expect(readdirSync(home)).toEqual(["true.bin"]);
    await files.write("parts.txt", program.subarray(0, 2));
    expect((await failure(files.append("parts.txt", program.subarray(2)))).code).toBe("permission_denied");
    expect(statSync(join(home, "parts.txt")).size).toBe(2);
    await files.write("story.txt", "MZ was a letter pair long before it was a file format. ".repeat(3));
    await filesIn(home, { validate_file_types: false }).write("notes.txt", program);
    expect(statSync(join(home, "notes.txt")).size).toBe(program.length);
  });

  test("with a blocked ending are refused for content, not for looking whether they exist", async () => {
    const { files, home } = world();
    writeFileSync(join(home, "a.exe"), "x");
    expect((await failure(files.read("a.exe"))).code).toBe("permission_denied");
    expect((await failure(files.write("b.dll", "x"))).code).toBe("permission_denied");
    expect((await failure(files.move("a.exe", "a.txt"))).code).toBe("permission_denied");
    expect(await files.exists("a.exe")).toBe(true);
  });

  test("are copied with their mode and moved whole; onto themselves is an error", async () => {
    const { files, home } = world();
    writeFileSync(join(home, "a.sh"), "content");
    chmodSync(join(home, "a.sh"), 0o700);
    await files.copy("a.sh", "b.sh");
    expect(modeOf(join(home, "b.sh"))).toBe(0o700);
    await files.move("b.sh", "c.sh");
    expect(existsSync(join(home, "b.sh"))).toBe(false);
    expect(readFileSync(join(home, "c.sh"), "utf8")).toBe("content");
    expect((await failure(files.copy("a.sh", "./a.sh"))).code).toBe("invalid_argument");
    expect((await failure(files.copy("a.sh", "/etc/x.sh"))).code).toBe("permission_denied");
    expect((await failure(files.move("/etc/hostname", "x"))).code).toBe("permission_denied");
  });

  test("that are links are removed and moved as links, also when they lead outside", async () => {
    const { files, home } = world();
    const outside = join(temporaryDirectory(), "keep.txt");
    writeFileSync(outside, "keep");
    symlinkSync(outside, join(home, "link"));
    await files.move("link", "moved");
    await files.remove("moved");
    expect(readdirSync(home)).toEqual([]);
    expect(readFileSync(outside, "utf8")).toBe("keep");
  });

  test("are removed, directories not", async () => {
    const { files, home } = world();
    mkdirSync(join(home, "dir"));
    writeFileSync(join(home, "a"), "");
    await files.remove("a");
    expect((await failure(files.remove("dir"))).message).toContain("it is a directory");
    expect((await failure(files.remove("a"))).code).toBe("not_found");
    expect(readdirSync(home)).toEqual(["dir"]);
  });
});

describe("directories", () => {
  test("are made with their parents when asked; an existing one is fine then", async () => {
    const { files, home } = world();
    expect((await failure(files.makeDirectory("a/b/c", false))).code).toBe("not_found");
    await files.makeDirectory("a/b/c", true);
    await files.makeDirectory("a/b/c", true);
    await files.makeDirectory(".", true);
    expect((await failure(files.makeDirectory("a", false))).code).toBe("already_exists");
    writeFileSync(join(home, "file"), "");
    expect((await failure(files.makeDirectory("file", true))).code).toBe("already_exists");
    expect((await failure(files.makeDirectory("file/x", true))).code).toBe("not_found");
  });

  test("list their entries by name, without following links", async () => {
    const { files, home } = world();
    mkdirSync(join(home, "b"));
    writeFileSync(join(home, "a.txt"), "12345");
    symlinkSync("/etc/passwd", join(home, "c"));
    const { entries, total } = await files.list(".", 10);
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ["a.txt", "file"],
      ["b", "directory"],
      ["c", "symlink"],
    ]);
    expect(entries[0]!.size).toBe(5);
    expect(total).toBe(3);
    expect((await files.list(".", 2)).entries.length).toBe(2);
    expect((await failure(files.list("a.txt", 10))).code).toBe("not_found");
  });
});

const canMount = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const directory = temporaryDirectory();
  if (Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", directory]).exitCode !== 0)
    return false;
  return Bun.spawnSync(["umount", directory]).exitCode === 0;
}

async function mounted(
  options: string,
  body: (files: FileAccess, home: string) => Promise<void>,
): Promise<void> {
  const home = temporaryDirectory();
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home]);
  try {
    await body(filesIn(home), home);
  } finally {
    Bun.spawnSync(["umount", home]);
  }
}

describe("a disk", () => {
  test.skipIf(!canMount)("that is full leaves the old content and no other file", () =>
    mounted("size=64k", async (files, home) => {
      await files.write("a.txt", "old");
      const error = await failure(files.write("a.txt", "x".repeat(200_000)));
      expect(error.code).toBe("io");
      expect(error.message).toBe("Cannot write 'a.txt': the disk is full");
      expect((await failure(files.append("a.txt", "x".repeat(200_000)))).message).toContain(
        "the disk is full",
      );
      expect(readFileSync(join(home, "a.txt"), "utf8")).toBe("old");
      expect(readdirSync(home)).toEqual(["a.txt"]);
    }),
  );

  test.skipIf(!canMount)("that is read-only says so", () =>
    mounted("size=64k", async (files, home) => {
      writeFileSync(join(home, "a.txt"), "old");
      Bun.spawnSync(["mount", "-o", "remount,ro", home]);
      const attempts = [
        () => files.write("a.txt", "x"),
        () => files.append("b.txt", "x"),
        () => files.makeDirectory("d", false),
      ];
      for (const attempt of attempts) {
        expect((await failure(attempt())).message).toContain("the file system is read-only");
      }
      expect(text(await files.read("a.txt"))).toBe("old");
    }),
  );

  test.skipIf(process.platform === "win32")("that allows no larger files leaves nothing behind", () => {
    const home = temporaryDirectory();
    const program = `
      const { createCapabilities } = await import("${root}/src/security/create.ts");
      const { limitsOf, ResourceBudget } = await import("${root}/src/security/limits.ts");
      const { configWith } = await import("${root}/test/support/config.ts");
      const { files } = createCapabilities({
        config: configWith((draft) => { draft.tools.file_operations.allowed_paths = ["${home}"]; }),
        env: {}, workingDirectory: "${home}", needs: ["files"],
        budget: new ResourceBudget(limitsOf("privileged")), signal: new AbortController().signal,
      });
      await files.write("big.txt", "x".repeat(200_000)).catch((error) => console.log(error.code, error.message));`;
    const shell = `ulimit -f 64; trap '' XFSZ; exec "$0" -e "$1"`;
    const { stdout } = Bun.spawnSync(["bash", "-c", shell, process.execPath, program]);
    expect(stdout.toString().trim()).toBe(
      "io Cannot write 'big.txt': the file would be larger than the operating system allows",
    );
    expect(readdirSync(home)).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)(
    "directory without write permission refuses in clear words",
    async () => {
      const { files, home } = world();
      chmodSync(home, 0o555);
      const error = await failure(files.write("a.txt", "x"));
      chmodSync(home, 0o755);
      expect(error).toMatchObject({
        code: "io",
        message: "Cannot write 'a.txt': the operating system refuses access",
      });
    },
  );
});
