/** Expected behaviour: spec/tools.md section 5.1. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { extensionOf, type FileRules, PathPolicy } from "../../../src/security/path-policy.ts";
import { failure, removeDirectories, temporaryDirectory } from "../tools/support.ts";

afterAll(removeDirectories);

function world(rules: Partial<FileRules> = {}) {
  const base = temporaryDirectory();
  const inside = join(base, "in");
  const outside = join(base, "out");
  mkdirSync(inside);
  mkdirSync(outside);
  writeFileSync(join(outside, "secret.txt"), "secret");
  const all: FileRules = {
    allowedPaths: [inside],
    allowedExtensions: [],
    blockedExtensions: [],
    maxDepth: undefined,
    followSymlinks: false,
    ...rules,
  };
  return { base, inside, outside, policy: new PathPolicy(all, inside) };
}

const denial =
  /Security violation: File access violation: access on '.*' - Path not in allowed list.*Path not allowed/;

describe("PathPolicy.locate", () => {
  test("admits what is below an allowed path, existing or not, absolute or relative", () => {
    const { inside, policy } = world();
    expect(policy.locate(join(inside, "new/deep/file.txt"))).toBe(join(inside, "new/deep/file.txt"));
    expect(policy.locate("a/../b.txt")).toBe(join(inside, "b.txt"));
    expect(policy.locate(inside)).toBe(inside);
  });

  test("compares whole segments: a neighbour with the same beginning stays outside", async () => {
    const { base, policy } = world();
    mkdirSync(join(base, "in-other"));
    for (const path of [join(base, "in-other/x"), join(base, "inx"), join(base, "in..")]) {
      const error = await failure(() => policy.locate(path));
      expect(error.code).toBe("permission_denied");
      expect(error.message).toMatch(denial);
    }
  });

  test.each([
    "../out/secret.txt",
    "../../etc/passwd",
    "x/../../out/secret.txt",
    "./../out",
    "../in/../out/secret.txt",
  ])("refuses %s", async (path) => {
    const { policy } = world();
    expect((await failure(() => policy.locate(path))).message).toMatch(denial);
  });

  test("refuses a path that climbs above the root, even when everything is allowed", async () => {
    const { policy } = world({ allowedPaths: ["*"] });
    expect((await failure(() => policy.locate("/../etc/passwd"))).code).toBe("permission_denied");
    expect(policy.locate("/etc/../etc/hostname")).toBe("/etc/hostname");
  });

  test("refuses links out of the allowed path: to a file, through a directory, chained, dangling", async () => {
    const { inside, outside, policy } = world();
    symlinkSync(join(outside, "secret.txt"), join(inside, "file"));
    symlinkSync(outside, join(inside, "dir"));
    symlinkSync("dir", join(inside, "chain"));
    symlinkSync(join(outside, "not-yet.txt"), join(inside, "dangling"));
    symlinkSync("../out", join(inside, "relative"));
    for (const path of ["file", "dir/secret.txt", "dir/new.txt", "chain/new.txt", "dangling", "relative/x"]) {
      expect((await failure(() => policy.locate(path))).message).toMatch(denial);
    }
  });

  test("a refusal tells nothing about the place behind the link", async () => {
    const { inside, outside, policy } = world();
    symlinkSync(outside, join(inside, "dir"));
    const existing = await failure(() => policy.locate("dir/secret.txt"));
    const missing = await failure(() => policy.locate("dir/no-such-file"));
    expect(missing.message).toBe(existing.message.replace("secret.txt", "no-such-file"));
    expect(JSON.stringify(existing.data) + existing.message).not.toContain(outside);
  });

  test("follows links that stay inside, also dangling ones, and an allowed path that is itself a link", () => {
    const { base, inside } = world();
    const policyOf = (allowed: string) =>
      new PathPolicy(
        {
          allowedPaths: [allowed],
          allowedExtensions: [],
          blockedExtensions: [],
          maxDepth: 10,
          followSymlinks: false,
        },
        inside,
      );
    symlinkSync(inside, join(base, "alias"));
    symlinkSync("later.txt", join(inside, "soon"));
    expect(policyOf(join(base, "alias")).locate(join(base, "alias/x.txt"))).toBe(join(inside, "x.txt"));
    expect(policyOf(inside).locate("soon")).toBe(join(inside, "later.txt"));
  });

  test("lets a link lead from one allowed path into another only with follow_symlinks", async () => {
    for (const followSymlinks of [false, true]) {
      const { base, inside, outside } = world();
      const rules = {
        allowedPaths: [inside, outside],
        allowedExtensions: [],
        blockedExtensions: [],
        maxDepth: 10,
      };
      const policy = new PathPolicy({ ...rules, followSymlinks }, base);
      symlinkSync(outside, join(inside, "across"));
      const path = join(inside, "across/secret.txt");
      if (followSymlinks) expect(policy.locate(path)).toBe(join(outside, "secret.txt"));
      else expect((await failure(() => policy.locate(path))).hint).toContain("follow_symlinks");
    }
  });

  test("a link at the end stands for itself when it is not followed", () => {
    const { inside, outside, policy } = world();
    symlinkSync(join(outside, "secret.txt"), join(inside, "file"));
    expect(policy.locate("file", false)).toBe(join(inside, "file"));
  });

  test("a loop of links is an error, not a hang", async () => {
    const { inside, policy } = world();
    symlinkSync("b", join(inside, "a"));
    symlinkSync("a", join(inside, "b"));
    expect((await failure(() => policy.locate("a"))).message).toContain("too many symbolic links");
  });

  test("counts levels below the allowed path", async () => {
    const { policy } = world({ maxDepth: 2 });
    expect(policy.locate("a/b/file.txt")).toEndWith("/in/a/b/file.txt");
    expect((await failure(() => policy.locate("a/b/c/file.txt"))).message).toContain("3 levels below");
  });

  test("refuses an empty path and a zero byte", async () => {
    const { policy } = world({ allowedPaths: ["*"] });
    expect((await failure(() => policy.locate(""))).code).toBe("invalid_argument");
    expect((await failure(() => policy.locate("/tmp/a\0.txt"))).code).toBe("invalid_argument");
  });

  test("takes letters outside ASCII as they are; look-alikes are other names", async () => {
    const { base, inside, policy } = world();
    expect(policy.locate("日本語/ñ.txt")).toBe(join(inside, "日本語/ñ.txt"));
    // Fullwidth dots and a division slash neither climb nor separate.
    expect(policy.locate("．．∕out")).toBe(join(inside, "．．∕out"));
    expect((await failure(() => policy.locate(join(base, "ｉｎ/x")))).code).toBe("permission_denied");
  });
});

describe("PathPolicy.checkExtension", () => {
  test.each([
    ["setup.EXE", "exe"],
    ["libx.so.1.2", "so"],
    ["run.dll. .", "dll"],
    ["archive.tar.gz", "gz"],
    [".bashrc", ""],
    ["noext", ""],
  ])("the extension of %s is %p", (name, extension) => {
    expect(extensionOf(`/tmp/${name}`)).toBe(extension);
  });

  test("refuses blocked ones and, with an allow list, all others", async () => {
    const blocked = world({ blockedExtensions: ["exe", ".so"] }).policy;
    expect((await failure(() => blocked.checkExtension("a.exe", "/x/a.exe"))).message).toContain(
      "'.exe' is blocked",
    );
    expect((await failure(() => blocked.checkExtension("a.so.6", "/x/a.so.6"))).message).toContain(
      "Permission denied",
    );
    const allowed = world({ allowedExtensions: ["TXT"] }).policy;
    expect(allowed.checkExtension("a.txt", "/x/a.txt")).toBeUndefined();
    expect((await failure(() => allowed.checkExtension("a", "/x/a"))).message).toContain("without extension");
  });
});
