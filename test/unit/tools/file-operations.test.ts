/** Expected behaviour: spec/tools.md section 7.2 and the examples' reads in section 10. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

function world() {
  const { tools, home } = bench();
  const call = (operation: string, params: Record<string, unknown>) =>
    tools.execute("file_operations", { operation, ...params });
  return { home, call };
}

describe("file-operations", () => {
  test("write and read: text is for people, then the content", async () => {
    const { home, call } = world();
    const path = join(home, "a.txt");
    const written = await call("write", { path, input: "Grüße" });
    expect(written).toMatchObject({
      success: true,
      text: `Wrote 7 bytes to ${path}`,
      result: { path, bytes_written: 7 },
      metadata: { file_path: path, file_size: 7 },
    });
    const read = await call("read", { path });
    expect(read).toMatchObject({
      text: "Grüße",
      primary: "Grüße",
      result: { input: "Grüße", content: "Grüße", text: "Grüße", size: 7 },
    });
    expect(read.envelope).toMatchObject({ operation: "read", success: true, result: { size: 7 } });
  });

  test("read keeps what looks like a tool's own result as content", async () => {
    const { home, call } = world();
    const content = '{"success": false, "result": "trap", "operation": "x"}';
    writeFileSync(join(home, "trap.json"), content);
    expect(await call("read", { path: "trap.json" })).toMatchObject({
      success: true,
      text: content,
      operation: "read",
    });
  });

  test("read gives bytes that are not UTF-8 as bytes; a byte order mark stays", async () => {
    const { home, call } = world();
    writeFileSync(join(home, "b.bin"), new Uint8Array([0xff, 0xfe, 0]));
    expect((await call("read", { path: "b.bin" })).text).toEqual(new Uint8Array([0xff, 0xfe, 0]));
    writeFileSync(join(home, "bom.txt"), "\ufeffa");
    expect((await call("read", { path: "bom.txt" })).text).toBe("\ufeffa");
  });

  test("write takes content for input, an empty text, a number, and bytes", async () => {
    const { home, call } = world();
    await call("WRITE", { path: "a", content: "via content" });
    expect(readFileSync(join(home, "a"), "utf8")).toBe("via content");
    await call("write", { path: "a", input: "" });
    expect(readFileSync(join(home, "a"), "utf8")).toBe("");
    await call("write", { path: "a", input: 42 });
    expect(readFileSync(join(home, "a"), "utf8")).toBe("42");
    await call("write", { path: "a", input: new Uint8Array([0, 255]) });
    expect([...readFileSync(join(home, "a"))]).toEqual([0, 255]);
  });

  test("a write that is refused or fails is a result with its kind", async () => {
    const { home, call } = world();
    const denied = await call("write", { path: "/etc/x", input: "x" });
    expect(denied).toMatchObject({
      success: false,
      result: { path: "/etc/x", error_type: "security_violation" },
      error: { code: "permission_denied" },
    });
    expect(denied.text).toStartWith(
      "Operation 'write' failed: Security violation: File access violation: access on '/etc/x'",
    );
    expect(denied.text).toContain("Path not in allowed list");
    expect(await call("write", { path: home, input: "x" })).toMatchObject({
      success: false,
      result: { error_type: "execution_error" },
    });
    expect(await call("write", { path: "big", input: "x".repeat(50_000_001) })).toMatchObject({
      success: false,
      result: { error_type: "validation_error" },
    });
  });

  test("a write without content is an error of the caller", async () => {
    const { call } = world();
    expect((await failure(call("write", { path: "a" }))).message).toBe(
      "Write operation requires 'input' parameter",
    );
    expect((await failure(call("write", { input: "a" }))).message).toBe("Missing required parameter 'path'");
  });

  test("append adds to the end and says how much", async () => {
    const { home, call } = world();
    await call("append", { path: "log", input: "a" });
    expect((await call("append", { path: "log", content: "bc" })).result).toMatchObject({ appended_size: 2 });
    expect(readFileSync(join(home, "log"), "utf8")).toBe("abc");
  });

  test("mkdir makes nested directories, and once more without complaint", async () => {
    const { home, call } = world();
    for (let i = 0; i < 2; i++) {
      const made = await call("mkdir", { path: "x/y/z", recursive: true });
      expect(made).toMatchObject({ operation: "create_dir", success: true, result: { recursive: true } });
    }
    expect(existsSync(join(home, "x/y/z"))).toBe(true);
    expect((await failure(call("create_dir", { path: "x" }))).code).toBe("already_exists");
  });

  test.each(["list_dir", "ls", "dir", "list"])("%s lists entries by name", async (operation) => {
    const { home, call } = world();
    mkdirSync(join(home, "d"));
    writeFileSync(join(home, "a.txt"), "123");
    utimesSync(join(home, "a.txt"), 1_700_000_000, 1_700_000_000);
    symlinkSync("a.txt", join(home, "l"));
    const listed = await call(operation, { path: home });
    expect(listed.text).toBe(`Found 3 entries in ${home}`);
    const entries = (listed.result as { entries: Record<string, unknown>[] }).entries;
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ["a.txt", "file"],
      ["d", "directory"],
      ["l", "symlink"],
    ]);
    // date -u -d @1700000000 --rfc-3339=ns
    expect(entries[0]).toEqual({
      name: "a.txt",
      path: join(home, "a.txt"),
      type: "file",
      size: 3,
      modified: "2023-11-14T22:13:20.000Z",
    });
  });

  test("list_dir stops at 1000 entries and says how many there are", async () => {
    const { home, call } = world();
    for (let i = 0; i < 1001; i++) writeFileSync(join(home, `f${i}`), "");
    expect((await call("list_dir", { path: "." })).result).toMatchObject({
      count: 1000,
      total: 1001,
      truncated: true,
    });
  });

  test("copy, move and delete, with their other names", async () => {
    const { home, call } = world();
    writeFileSync(join(home, "a"), "content");
    expect((await call("cp", { source_path: "a", target_path: "b" })).result).toEqual({
      source: "a",
      target: "b",
    });
    await call("rename", { path: "b", destination: "c" });
    await call("mv", { source_path: "c", target_path: "d" });
    expect([existsSync(join(home, "b")), readFileSync(join(home, "d"), "utf8")]).toEqual([false, "content"]);
    await call("delete", { path: "d" });
    expect(existsSync(join(home, "d"))).toBe(false);
    expect((await failure(call("delete", { path: "." }))).message).toContain("it is a directory");
    expect((await failure(call("copy", { path: "a" }))).message).toBe(
      "Missing required parameter 'target_path'",
    );
  });

  test("metadata describes, exists answers either way", async () => {
    const { home, call } = world();
    writeFileSync(join(home, "a"), "12345");
    utimesSync(join(home, "a"), 1_700_000_000, 1_700_000_001);
    expect((await call("stat", { path: "a" })).result).toMatchObject({
      path: "a",
      type: "file",
      size: 5,
      readonly: false,
      accessed: "2023-11-14T22:13:20.000Z",
      modified: "2023-11-14T22:13:21.000Z",
    });
    expect(await call("exists", { path: "a" })).toMatchObject({
      text: "Path a exists",
      result: { exists: true },
    });
    expect(await call("exists", { path: "b" })).toMatchObject({
      success: true,
      text: "Path b does not exist",
      result: { exists: false },
    });
  });

  test("reading what is refused or missing raises", async () => {
    const { call } = world();
    expect((await failure(call("read", { path: "/etc/passwd" }))).message).toContain(
      "Path not in allowed list",
    );
    expect((await failure(call("read", { path: "none" }))).message).toBe(
      "Cannot read 'none': no such file or directory",
    );
    expect((await failure(call("exists", { path: "/etc" }))).code).toBe("permission_denied");
    expect((await failure(call("frobnicate", {}))).message).toStartWith(
      "Invalid operation: 'frobnicate'. Allowed values: read,",
    );
  });
});
