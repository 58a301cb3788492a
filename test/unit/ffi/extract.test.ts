import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import { extractLibraries } from "../../../src/ffi/extract.ts";
import { hashLibrarySet } from "../../../src/ffi/library-set.ts";
import { isNoexec, type Place, placesFor } from "../../../src/ffi/places.ts";

let directory: string;
let files: { name: string; path: string }[];
let hash: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "llmspell-extract-"));
  mkdirSync(join(directory, "source"));
  files = ["liba.so", "libb.so"].map((name, i) => {
    const path = join(directory, "source", name);
    writeFileSync(path, Buffer.alloc(100_000 + i, i + 1));
    return { name, path };
  });
  hash = await hashLibrarySet(files);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const cached = (name: string): Place => ({
  directory: join(directory, name, "llmspell", "native"),
  temporary: false,
});
const contentOf = (set: string) =>
  readdirSync(set)
    .sort()
    .map((name) => [name, readFileSync(join(set, name)).length]);
const WHOLE = [
  ["liba.so", 100_000],
  ["libb.so", 100_001],
];

describe("extractLibraries", () => {
  test("makes a directory that is named by the hash and is the owner's alone", async () => {
    const set = await extractLibraries(files, hash, [cached("cache")]);
    expect(set).toEqual({ directory: join(cached("cache").directory, hash.slice(0, 32)), temporary: false });
    expect(contentOf(set.directory)).toEqual(WHOLE);
    expect(statSync(set.directory).mode & 0o777).toBe(0o700);
    expect(statSync(cached("cache").directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(cached("cache").directory)).toEqual([hash.slice(0, 32)]);
  });

  test("takes a set that is there, without writing it again", async () => {
    const { directory: set } = await extractLibraries(files, hash, [cached("cache")]);
    const before = statSync(join(set, "liba.so"), { bigint: true }).ctimeNs;
    await extractLibraries(files, hash, [cached("cache")]);
    expect(statSync(join(set, "liba.so"), { bigint: true }).ctimeNs).toBe(before);
  });

  test("replaces a set that is damaged", async () => {
    const { directory: set } = await extractLibraries(files, hash, [cached("cache")]);
    truncateSync(join(set, "liba.so"), 5);
    expect(contentOf((await extractLibraries(files, hash, [cached("cache")])).directory)).toEqual(WHOLE);
    rmSync(join(set, "libb.so"));
    expect(contentOf((await extractLibraries(files, hash, [cached("cache")])).directory)).toEqual(WHOLE);
    writeFileSync(join(set, "libggml-cpu-planted.so"), "x");
    expect(contentOf((await extractLibraries(files, hash, [cached("cache")])).directory)).toEqual(WHOLE);
  });

  test("refuses files that are not those the hash was made of", async () => {
    writeFileSync(files[0]!.path, Buffer.alloc(100_000, 9));
    const extraction = extractLibraries(files, hash, [cached("cache")]);
    await expect(extraction).rejects.toBeInstanceOf(SpellError);
    expect(readdirSync(cached("cache").directory)).toEqual([]);
  });

  test("goes on to the next place where one cannot be written", async () => {
    writeFileSync(join(directory, "file"), "");
    const places = [
      cached("file"),
      { directory: "/proc/llmspell/native", temporary: false },
      cached("second"),
    ];
    expect((await extractLibraries(files, hash, places)).directory).toStartWith(join(directory, "second"));
  });

  test("goes on where others may write, or where a link stands in place of the directory", async () => {
    mkdirSync(cached("shared").directory, { recursive: true });
    chmodSync(cached("shared").directory, 0o777);
    mkdirSync(join(directory, "link", "llmspell"), { recursive: true });
    mkdirSync(join(directory, "elsewhere"));
    symlinkSync(join(directory, "elsewhere"), cached("link").directory);
    const places = [cached("shared"), cached("link"), cached("second")];
    expect((await extractLibraries(files, hash, places)).directory).toStartWith(join(directory, "second"));
    expect(readdirSync(join(directory, "elsewhere"))).toEqual([]);
  });

  test("does not take a set of which others may write", async () => {
    const { directory: set } = await extractLibraries(files, hash, [cached("cache")]);
    chmodSync(join(set, "liba.so"), 0o777);
    await extractLibraries(files, hash, [cached("cache")]);
    expect(statSync(join(set, "liba.so")).mode & 0o777).toBe(0o500);
  });

  test("uses a temporary place last, and says so", async () => {
    const temporary = join(directory, "temporary");
    mkdirSync(temporary);
    writeFileSync(join(directory, "file"), "");
    const set = await extractLibraries(files, hash, [
      cached("file"),
      { directory: temporary, temporary: true },
    ]);
    expect(set.temporary).toBe(true);
    expect(set.directory).toStartWith(temporary);
    expect(contentOf(set.directory)).toEqual(WHOLE);
  });

  test("names each place and why it was refused when none takes them", async () => {
    writeFileSync(join(directory, "file"), "");
    const error = await extractLibraries(files, hash, [
      cached("file"),
      { directory: "/proc", temporary: true },
    ]).then(
      () => undefined,
      (reason: SpellError) => reason,
    );
    expect(error?.code).toBe("platform");
    expect(error?.message).toContain(cached("file").directory);
    expect(error?.message).toContain("/proc (");
  });

  test("names what could not be extracted, where it is not the libraries", async () => {
    const nowhere = [{ directory: "/proc", temporary: true }];
    expect(extractLibraries(files, hash, nowhere, "the model spell-mini")).rejects.toThrow(
      "Cannot extract the model spell-mini: no place takes them: /proc (",
    );
    await extractLibraries(files, hash, nowhere).catch(() => undefined);
  });

  const mounts = Bun.spawnSync(["unshare", "-rm", "true"], { stderr: "ignore" }).success;
  test.skipIf(!mounts)("goes on where the disk becomes full half-way, and leaves nothing there", () => {
    const full = join(directory, "full");
    mkdirSync(full);
    const source = join(directory, "full.ts");
    writeFileSync(
      source,
      `import { extractLibraries } from ${JSON.stringify(join(import.meta.dir, "../../../src/ffi/extract.ts"))};
       const set = await extractLibraries(${JSON.stringify(files)}, ${JSON.stringify(hash)}, ${JSON.stringify([cached("full"), cached("second")])});
       console.log(set.directory);`,
    );
    const script = `mount -t tmpfs -o size=120k tmpfs ${full} && ${process.execPath} ${source} && find ${full} -type f`;
    const { stdout, stderr } = Bun.spawnSync(["unshare", "-rm", "sh", "-c", script]);
    expect(stderr.toString()).toBe("");
    const second = join(cached("second").directory, hash.slice(0, 32));
    expect(stdout.toString()).toBe(`${second}\n`);
    expect(contentOf(second)).toEqual(WHOLE);
  });

  test.skipIf(!mounts)("puts files that are no code where no code may run, and libraries elsewhere", () => {
    const noexec = join(directory, "noexec");
    mkdirSync(noexec);
    const source = join(directory, "noexec.ts");
    writeFileSync(
      source,
      `import { extractLibraries } from ${JSON.stringify(join(import.meta.dir, "../../../src/ffi/extract.ts"))};
       for (const areCode of [true, false]) {
         const set = await extractLibraries(${JSON.stringify(files)}, ${JSON.stringify(hash)}, ${JSON.stringify([cached("noexec"), cached("second")])}, "files", areCode);
         console.log(set.directory);
       }`,
    );
    const script = `mount -t tmpfs -o noexec tmpfs ${noexec} && ${process.execPath} ${source}`;
    const { stdout, stderr } = Bun.spawnSync(["unshare", "-rm", "sh", "-c", script]);
    expect(stderr.toString()).toBe("");
    const at = (place: Place) => join(place.directory, hash.slice(0, 32));
    expect(stdout.toString()).toBe(`${at(cached("second"))}\n${at(cached("noexec"))}\n`);
  });

  test("gives the same whole set to many processes that start at once on a fresh home", async () => {
    const script = `
      import { extractLibraries } from ${JSON.stringify(join(import.meta.dir, "../../../src/ffi/extract.ts"))};
      const set = await extractLibraries(${JSON.stringify(files)}, ${JSON.stringify(hash)}, [${JSON.stringify(cached("cache"))}]);
      console.log(set.directory);`;
    const processes = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, "-e", script], { stderr: "inherit" }),
    );
    const printed = await Promise.all(processes.map((child) => child.stdout.text()));
    expect(new Set(printed)).toEqual(new Set([`${join(cached("cache").directory, hash.slice(0, 32))}\n`]));
    expect(contentOf(printed[0]!.trim())).toEqual(WHOLE);
    expect(readdirSync(cached("cache").directory)).toEqual([hash.slice(0, 32)]);
  });
});

describe("placesFor", () => {
  test("prefers the user's cache, then the data directory, then memory", () => {
    const env = { HOME: "/home/ada", XDG_RUNTIME_DIR: "/run/user/7" };
    expect(placesFor(env, "linux").map((place) => place.directory)).toEqual([
      "/home/ada/.cache/llmspell/native",
      "/home/ada/.llmspell/cache/native",
      "/dev/shm",
      "/run/user/7",
      tmpdir(),
    ]);
    const [cache, data] = placesFor({ ...env, XDG_CACHE_HOME: "/c", LLMSPELL_HOME: "/d" }, "linux");
    expect([cache!.directory, data!.directory]).toEqual(["/c/llmspell/native", "/d/cache/native"]);
    expect(placesFor(env, "darwin")[0]!.directory).toBe("/home/ada/Library/Caches/llmspell/native");
  });
});

describe("isNoexec", () => {
  // proc_pid_mountinfo(5)
  const mounts = (path: string) =>
    [
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
      `30 22 0:26 / ${path.replaceAll(" ", "\\040")} rw,nosuid,noexec,relatime shared:2 - tmpfs tmpfs rw`,
    ].join("\n");

  test("asks the nearest mount above a directory", () => {
    const inner = join(directory, "with space", "inner");
    mkdirSync(inner, { recursive: true });
    mkdirSync(join(directory, "with space too"));
    expect(isNoexec(inner, mounts(join(directory, "with space")))).toBe(true);
    expect(isNoexec(join(directory, "with space"), mounts(join(directory, "with space")))).toBe(true);
    expect(isNoexec(join(directory, "with space too"), mounts(join(directory, "with space")))).toBe(false);
    expect(isNoexec(directory, mounts(join(directory, "with space")))).toBe(false);
  });

  test("follows links to where a directory really is", () => {
    mkdirSync(join(directory, "real"));
    symlinkSync(join(directory, "real"), join(directory, "link"));
    expect(isNoexec(join(directory, "link"), mounts(join(directory, "real")))).toBe(true);
  });
});
