import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { blake3 } from "@noble/hashes/blake3.js";
import { bytes, failure, type World, world } from "./support.ts";

const UNKNOWN = "11111111-1111-4111-8111-111111111111";

/** Bytes that do not compress, the same for a seed. */
function noise(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

async function session(w: World): Promise<string> {
  return (await w.sessions.create()).id;
}

const store = (w: World, id: string, name: string, content: Uint8Array, metadata = {}) =>
  w.sessions.artifacts.store(id, { type: "tool_result", name, content, metadata });

function filesOf(w: World): string[] {
  const root = join(w.directory, "artifacts");
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((prefix) =>
    readdirSync(join(root, prefix)).map((name) => join(root, prefix, name)),
  );
}

describe("An artifact", () => {
  const CONTENTS: readonly (readonly [string, Uint8Array, isCompressed: boolean])[] = [
    ["nothing at all", new Uint8Array(0), false],
    ["one byte", Uint8Array.of(0), false],
    ["bytes that are no UTF-8", Uint8Array.from({ length: 256 }, (_, i) => i), false],
    ["text of the threshold", bytes("a".repeat(10_240)), false],
    ["text one byte above it", bytes("a".repeat(10_241)), true],
    ["noise above it, which grows when compressed", noise(20_000), false],
    ["noise for a file", noise(300_000), false],
    ["text that is large compressed too", bytes(noise(300_000).toHex()), true],
  ];

  test.each(CONTENTS)(
    "of %s comes back as it was, in another process too",
    async (_, content, isCompressed) => {
      await using w = await world();
      const owner = await session(w);
      const id = await store(w, owner, "x", content);
      expect(id.content_hash).toBe(blake3(content).toHex());
      await w.restart();
      const { content: read, metadata } = await w.sessions.artifacts.get(owner, id);
      expect(Buffer.compare(read, content)).toBe(0);
      expect(metadata).toMatchObject({
        size: content.length,
        original_size: content.length,
        is_compressed: isCompressed,
      });
      expect(metadata.stored_size <= content.length).toBe(true);
    },
  );

  test("has the fields that its metadata names, and the rest together", async () => {
    await using w = await world();
    const owner = await session(w);
    const id = await w.sessions.artifacts.store(owner, {
      type: "markdown",
      name: "notes.md",
      content: bytes("# n"),
      metadata: { mime_type: "text/markdown", tags: ["a", "b"], description: "d", other: { deep: 1 } },
    });
    const [record] = await w.sessions.artifacts.list(owner);
    expect(record).toMatchObject({
      id,
      name: "notes.md",
      artifact_type: 'Custom("markdown")',
      type: "markdown",
      mime_type: "text/markdown",
      tags: ["a", "b"],
      description: "d",
      custom: { description: "d", other: { deep: 1 } },
      version: { version: 1, previous_hash: null },
    });
    expect(w.sessions.get(owner)).toMatchObject({ artifact_count: 1, total_artifact_size: 3 });
  });

  test("under a name that is taken is its next version", async () => {
    await using w = await world();
    const owner = await session(w);
    const first = await store(w, owner, "doc", bytes("one"));
    const second = await store(w, owner, "doc", bytes("two"));
    expect([first.sequence, second.sequence]).toEqual([1, 2]);
    const { metadata } = await w.sessions.artifacts.get(owner, second);
    expect(metadata.version).toMatchObject({ version: 2, previous_hash: first.content_hash });
    expect(Buffer.from((await w.sessions.artifacts.get(owner, first)).content).toString()).toBe("one");
  });

  test("of the same content under two names stays apart, and is kept once", async () => {
    await using w = await world();
    const owner = await session(w);
    const content = noise(300_000);
    const a = await store(w, owner, "a", content);
    const b = await store(w, owner, "b", content);
    expect(filesOf(w)).toHaveLength(1);
    const { name: _, ...ambiguous } = a;
    expect((await failure(w.sessions.artifacts.delete(owner, ambiguous))).message).toStartWith(
      "Invalid artifact ID",
    );
    await w.sessions.artifacts.delete(owner, a);
    expect(filesOf(w)).toHaveLength(1);
    expect((await w.sessions.artifacts.get(owner, b)).content.length).toBe(300_000);
    await w.sessions.artifacts.delete(owner, b);
    expect(filesOf(w)).toEqual([]);
    expect(w.sessions.get(owner)).toMatchObject({ artifact_count: 0, total_artifact_size: 0 });
  });

  test("leaves with its session, its content only when no other session has it", async () => {
    await using w = await world();
    const [one, two] = [await session(w), await session(w)];
    await store(w, one, "x", noise(300_000));
    const kept = await store(w, two, "y", noise(300_000));
    await store(w, one, "z", noise(300_000, 2));
    await w.sessions.delete(one);
    expect(filesOf(w)).toHaveLength(1);
    expect((await w.sessions.artifacts.get(two, kept)).content.length).toBe(300_000);
  });

  test("whose file is damaged or gone is refused by name, and healed by storing it again", async () => {
    await using w = await world();
    const owner = await session(w);
    const content = bytes(noise(300_000).toHex());
    const id = await store(w, owner, "report", content);
    const [file] = filesOf(w);
    const whole = readFileSync(file!);
    for (const [what, damage] of [
      ["a flipped bit", whole.map((byte, i) => (i === 1000 ? byte ^ 1 : byte))],
      ["cut off", whole.subarray(0, 5000)],
      ["empty", new Uint8Array(0)],
      ["something else", bytes("no zstd at all")],
    ] as const) {
      writeFileSync(file!, damage);
      const error = await failure(w.sessions.artifacts.get(owner, id));
      expect([what, error.code, error.message]).toEqual([
        what,
        "io",
        `Cannot read artifact "report": its content is damaged: ${file}`,
      ]);
      expect(w.events.at(-1)?.type).toBe("artifact.validation_failed");
    }
    await store(w, owner, "after the damage", content);
    expect((await w.sessions.artifacts.get(owner, id)).content.length).toBe(content.length);
    unlinkSync(file!);
    const gone = await failure(w.sessions.artifacts.get(owner, id));
    expect(gone.message).toContain(file!);
    await store(w, owner, "after the loss", content);
    expect((await w.sessions.artifacts.get(owner, id)).content.length).toBe(content.length);
  });

  test("belongs to its session: another needs a grant", async () => {
    await using w = await world();
    const [owner, other] = [await session(w), await session(w)];
    const id = await store(w, owner, "x", bytes("secret"));
    const { artifacts } = w.sessions;
    const denied = await failure(artifacts.get(other, id));
    expect(denied.code).toBe("permission_denied");
    expect(denied.message).toStartWith("Access denied: ");
    expect((await failure(artifacts.grant(other, id, other, "admin"))).code).toBe("permission_denied");
    await artifacts.grant(owner, id, other, "read");
    expect(Buffer.from((await artifacts.get(other, id)).content).toString()).toBe("secret");
    expect((await failure(artifacts.delete(other, id))).code).toBe("permission_denied");
    await artifacts.grant(owner, id, other, undefined);
    expect((await failure(artifacts.get(other, id))).code).toBe("permission_denied");
    await artifacts.grant(owner, id, other, "write");
    await artifacts.delete(other, id);
    expect((await failure(artifacts.get(owner, id))).message).toBe(
      `Artifact not found: ${owner}/1/${id.content_hash.slice(0, 8)}`,
    );
  });

  test("tells the bus what becomes of it, with the session's correlation id", async () => {
    await using w = await world();
    const owner = await session(w);
    const { artifacts } = w.sessions;
    await store(w, owner, "x", bytes("one"));
    w.events.length = 0;
    const id = await artifacts.store(owner, {
      type: "note",
      name: "x",
      content: bytes("two"),
      metadata: { parent_artifact: "the first" },
    });
    await artifacts.get(owner, id);
    await artifacts.delete(owner, id);
    const told = w.events.filter(({ type }) => type.includes("artifact"));
    expect(told.map(({ type }) => type)).toEqual([
      "session.artifact.stored",
      "artifact.versioned",
      "artifact.derived",
      "session.artifact.retrieved",
      "artifact.accessed",
      "artifact.validated",
      "session.artifact.deleted",
      "artifact.deleted",
    ]);
    const about = { session_id: owner, artifact_id: `${owner}/2/${id.content_hash.slice(0, 8)}`, name: "x" };
    for (const { data } of told) expect(data).toMatchObject(about);
    expect(told[2]!.data).toMatchObject({ parent_artifact: "the first" });
    expect(new Set(told.map(({ metadata }) => metadata.correlationId)).size).toBe(1);
  });

  test("leaves a trace of each use, refusals included", async () => {
    await using w = await world();
    const [owner, other] = [await session(w), await session(w)];
    const { artifacts } = w.sessions;
    const id = await store(w, owner, "x", bytes("secret"));
    await failure(artifacts.get(other, id));
    await artifacts.grant(owner, id, other, "read");
    await artifacts.get(other, id);
    await artifacts.list(owner);
    await artifacts.grant(owner, id, other, undefined);
    await artifacts.delete(owner, id);
    const short = (found: ReturnType<typeof artifacts.audit>) =>
      found.map((one) => [one.session_id === owner ? "owner" : "other", one.action, one.name, one.allowed]);
    expect(short(artifacts.audit())).toEqual([
      ["owner", "write", "x", true],
      ["other", "read", "x", false],
      ["owner", "share", "x", true],
      ["other", "read", "x", true],
      ["owner", "list", null, true],
      ["owner", "change_permissions", "x", true],
      ["owner", "delete", "x", true],
    ]);
    expect(short(artifacts.audit({ sessionId: other, allowed: false }))).toEqual([
      ["other", "read", "x", false],
    ]);
    expect(artifacts.audit({ action: "delete" })[0]).toMatchObject({
      artifact: `${owner}/1/${id.content_hash.slice(0, 8)}`,
    });
    expect(short(artifacts.audit({ limit: 1 }))).toEqual([["owner", "delete", "x", true]]);
  });

  test("is stored in active sessions only, in the current one for an empty id", async () => {
    await using w = await world();
    const owner = await session(w);
    expect((await failure(store(w, "", "x", bytes("x")))).message).toBe(
      "Cannot use artifacts: there is no current session",
    );
    w.sessions.setCurrent(owner);
    expect((await store(w, "", "x", bytes("x"))).session_id).toBe(owner);
    await w.sessions.suspend(owner);
    expect((await failure(store(w, owner, "y", bytes("y")))).message).toBe(
      "Invalid operation: Cannot store artifacts in suspended session",
    );
    expect((await failure(store(w, UNKNOWN, "y", bytes("y")))).message).toBe(`Session not found: ${UNKNOWN}`);
  });

  test("is held to its limits", async () => {
    await using w = await world({
      change: (settings) => {
        settings.max_artifacts_per_session = 2;
        settings.max_storage_bytes = 400_000;
      },
    });
    const [owner, other] = [await session(w), await session(w)];
    const messages: string[] = [];
    const refused = async (work: Promise<unknown>) => messages.push((await failure(work)).message);
    await refused(store(w, owner, "", bytes("x")));
    await refused(store(w, owner, "n".repeat(256), bytes("x")));
    await refused(store(w, owner, "x", bytes("x"), { tags: ["t".repeat(65)] }));
    await refused(store(w, owner, "x", new Uint8Array(100 * 1024 * 1024 + 1)));
    await refused(w.sessions.artifacts.store(owner, { type: " ", name: "x", content: bytes("x") }));
    await store(w, owner, "n".repeat(255), bytes("x"), { tags: ["t".repeat(64)] });
    await store(w, owner, "x", bytes("x"));
    await refused(store(w, owner, "one too many", bytes("x")));
    await store(w, other, "fits", noise(300_000));
    await refused(store(w, other, "does not", noise(300_000, 2)));
    expect(messages).toEqual([
      "Invalid artifact name: it must have 1 to 255 characters: it is empty",
      "Invalid artifact name: it must have 1 to 255 characters: 256",
      `Invalid tag: it must have 1 to 64 characters: "${"t".repeat(65)}"`,
      'Resource limit exceeded: artifact_size - "x" has 104857601 bytes, and 104857600 are allowed',
      "Invalid artifact type: it must not be empty",
      "Resource limit exceeded: artifacts_per_session - Maximum artifacts per session (2) reached",
      "Resource limit exceeded: storage - Maximum storage (400000 bytes) reached with 300000 more",
    ]);
    // what was refused left no file
    expect(filesOf(w)).toHaveLength(1);
  });

  test("comes from a file only where tools may read", async () => {
    await using w = await world();
    const owner = await session(w);
    writeFileSync(join(w.directory, "data.json"), '{"a":1}');
    const signal = new AbortController().signal;
    const from = (path: string) =>
      w.sessions.artifacts.storeFile(owner, { path, type: "user_input", signal });
    const id = await from(join(w.directory, "data.json"));
    const { content, metadata } = await w.sessions.artifacts.get(owner, id);
    expect([Buffer.from(content).toString(), metadata.name, metadata.mime_type]).toEqual([
      '{"a":1}',
      "data.json",
      "application/json",
    ]);
    expect((await failure(from("/etc/passwd"))).code).toBe("permission_denied");
    expect((await failure(from(join(w.directory, "absent")))).code).toBe("not_found");
  });
});

describe("Artifacts", () => {
  test("are found by every filter, over all sessions", async () => {
    await using w = await world();
    const [one, two] = [await session(w), await session(w)];
    await store(w, one, "report.md", bytes("12345"), { tags: ["x", "y"] });
    await store(w, one, "report.txt", bytes("123"), { tags: ["x"] });
    await w.sessions.artifacts.store(two, {
      type: 'Custom("chart")',
      name: "sales.png",
      content: bytes("1"),
    });
    const names = (query: Parameters<typeof w.sessions.artifacts.query>[0]) =>
      w.sessions.artifacts.query(query).map(({ name }) => name);
    expect(names({})).toEqual(["report.md", "report.txt", "sales.png"]);
    expect(names({ sessionId: two })).toEqual(["sales.png"]);
    expect(names({ type: "ToolResult" })).toEqual(["report.md", "report.txt"]);
    expect(names({ type: "chart" })).toEqual(["sales.png"]);
    expect(names({ namePattern: "*.md" })).toEqual(["report.md"]);
    expect(names({ namePattern: "re*t.*" })).toEqual(["report.md", "report.txt"]);
    expect(names({ namePattern: "port" })).toEqual(["report.md", "report.txt"]);
    expect(names({ namePattern: "report" })).toEqual(["report.md", "report.txt"]);
    expect(names({ namePattern: "report*", limit: 1 })).toEqual(["report.md"]);
    expect(names({ tags: ["x", "y"] })).toEqual(["report.md"]);
    expect(names({ minSizeBytes: 2, maxSizeBytes: 4 })).toEqual(["report.txt"]);
    expect(names({ createdAfterMs: Date.now() + 60_000 })).toEqual([]);
    expect(names({ createdBeforeMs: Date.now() + 60_000, limit: 2 })).toEqual(["report.md", "report.txt"]);
  });

  test("leave behind what ended processes began, and nothing that is named", async () => {
    await using w = await world();
    const owner = await session(w);
    const id = await store(w, owner, "kept", noise(300_000));
    const root = join(w.directory, "artifacts");
    mkdirSync(join(root, "00"), { recursive: true });
    const orphan = join(root, "00", "f".repeat(62));
    const [old, young] = ["old", "young"].map((name) => join(root, "tmp", name));
    const foreign = join(root, "00", "notes.txt");
    for (const path of [orphan, old!, young!, foreign]) writeFileSync(path, "x");
    utimesSync(old!, new Date(0), new Date(0));
    const { Contents } = await import("../../../src/sessions/artifacts/contents.ts");
    expect(await new Contents(w.storage, root).collect()).toBe(2);
    expect([orphan, old!, young!, foreign].map(existsSync)).toEqual([false, false, true, true]);
    expect((await w.sessions.artifacts.get(owner, id)).content.length).toBe(300_000);
  });

  test("of memory sessions stand in no file", async () => {
    await using w = await world({
      change: (settings) => {
        settings.storage_backend = "memory";
      },
    });
    const owner = await session(w);
    const id = await store(w, owner, "x", noise(300_000));
    expect(filesOf(w)).toEqual([]);
    expect((await w.sessions.artifacts.get(owner, id)).content.length).toBe(300_000);
  });
});
