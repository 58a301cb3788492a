import { describe, expect, test } from "bun:test";
import type { SessionService, SessionStatus } from "../../../src/sessions/service.ts";
import { failure, world } from "./support.ts";

const UNKNOWN = "11111111-1111-4111-8111-111111111111";

describe("A session", () => {
  test("outlives the process with all that it is", async () => {
    await using w = await world();
    const parent = await w.sessions.create({ name: "parent" });
    const made = await w.sessions.create({
      name: "first",
      description: "what it is for",
      tags: ["a", "b", "a"],
      createdBy: "tester",
      parentSessionId: parent.id,
      metadata: { deep: { list: [1, 9007199254740993n] } },
    });
    await w.sessions.setValue(made.id, "key", { text: "é", list: [1, 2] });
    await w.restart();
    const { updated_at: _, operation_count: operations, ...kept } = w.sessions.get(made.id);
    const { updated_at: __, operation_count: ___, ...before } = made;
    expect(kept).toEqual(before);
    expect(kept).toMatchObject({
      tags: ["a", "b"],
      custom_metadata: { deep: { list: [1, 9007199254740993n] } },
    });
    expect(operations).toBe(1);
    expect(w.sessions.getValue(made.id, "key")).toEqual({ text: "é", list: [1, 2] });
  });

  test("in memory is gone with the process", async () => {
    await using w = await world({
      change: (settings) => {
        settings.storage_backend = "memory";
      },
    });
    await w.sessions.create();
    expect(w.sessions.list()).toHaveLength(1);
    await w.restart();
    expect(w.sessions.list()).toEqual([]);
  });

  test("tells every step of its life under one correlation id", async () => {
    await using w = await world();
    const { id } = await w.sessions.create({ name: "n" });
    await w.sessions.suspend(id);
    await w.sessions.resume(id);
    await w.sessions.save(id);
    await w.sessions.load(id);
    await w.sessions.setValue(id, "k", 1);
    await w.sessions.fail(id);
    await w.sessions.archive(id);
    const types = w.events.map(({ type }) => type).filter((type) => type !== "session.hook.executed");
    expect(types).toEqual([
      "session.created",
      "session.started",
      "session.suspended",
      "session.resumed",
      "session.saved",
      "session.loaded",
      "session.state.changed",
      "session.failed",
      "session.archived",
    ]);
    expect(new Set(w.events.map(({ metadata }) => metadata.correlationId)).size).toBe(1);
    expect(w.events.every(({ data }) => (data as { session_id: string }).session_id === id)).toBe(true);
  });

  test("asks its hooks, and heeds one that cancels", async () => {
    await using w = await world();
    const { id } = await w.sessions.create();
    const checkpoint = await w.sessions.checkpoint(id);
    await w.sessions.restore(id, checkpoint);
    await w.sessions.save(id);
    await w.sessions.complete(id);
    expect(w.ran.map(({ point }) => point)).toEqual([
      "SessionStart",
      "SessionCheckpoint",
      "SessionRestore",
      "SessionSave",
      "SessionEnd",
    ]);
    expect(w.ran.every(({ data }) => data.session_id === id)).toBe(true);
    expect(w.ran.at(-1)!.data).toMatchObject({
      session_status: "active",
      session_duration_ms: expect.any(Number),
    });
    w.answer.result = { type: "cancel", reason: "not today" };
    const refused = await failure(w.sessions.create());
    expect([refused.code, refused.message]).toEqual([
      "permission_denied",
      "Cannot create session: a hook cancelled it: not today",
    ]);
    expect(w.sessions.list()).toHaveLength(1);
  });

  const MOVES: readonly (readonly [
    from: SessionStatus,
    move: keyof SessionService,
    allowed: boolean | string,
  ])[] = [
    ["active", "suspend", true],
    ["active", "resume", "Invalid session state transition from Active to Active"],
    ["active", "complete", true],
    ["active", "fail", true],
    ["active", "archive", "Invalid session state transition from Active to Archived"],
    ["suspended", "suspend", "Invalid session state transition from Suspended to Suspended"],
    ["suspended", "resume", true],
    ["suspended", "complete", true],
    ["suspended", "fail", true],
    ["suspended", "archive", "Invalid session state transition from Suspended to Archived"],
    ["completed", "suspend", "Invalid session state transition from Completed to Suspended"],
    ["completed", "resume", "Invalid session state transition from Completed to Active"],
    ["completed", "complete", "Invalid session state transition from Completed to Completed"],
    ["completed", "fail", "Invalid session state transition from Completed to Failed"],
    ["completed", "archive", true],
    ["failed", "resume", "Invalid session state transition from Failed to Active"],
    ["failed", "archive", true],
    ["archived", "resume", "Invalid session state transition from Archived to Active"],
    ["archived", "fail", "Invalid session state transition from Archived to Failed"],
  ];
  const WAYS: Record<SessionStatus, readonly ("suspend" | "complete" | "fail" | "archive")[]> = {
    active: [],
    suspended: ["suspend"],
    completed: ["complete"],
    failed: ["fail"],
    archived: ["complete", "archive"],
  };

  test.each(MOVES)("that is %s: %s", async (from, move, allowed) => {
    await using w = await world();
    const { id } = await w.sessions.create();
    for (const step of WAYS[from]) await w.sessions[step](id);
    const act = () => (w.sessions[move] as (id: string) => Promise<void>).call(w.sessions, id);
    if (allowed === true) await act();
    else {
      expect((await failure(act())).message).toBe(allowed as string);
      expect(w.sessions.get(id).status).toBe(from);
    }
  });

  test("that is unknown, or no id at all, is named", async () => {
    await using w = await world();
    const unknown = await failure(w.sessions.save(UNKNOWN));
    expect([unknown.code, unknown.message]).toEqual(["not_found", `Session not found: ${UNKNOWN}`]);
    const bad = await failure(() => w.sessions.get("no id"));
    expect([bad.code, bad.message]).toEqual(["invalid_argument", "Invalid session ID: no id"]);
    expect((await failure(w.sessions.create({ parentSessionId: UNKNOWN }))).code).toBe("not_found");
    const { id } = await w.sessions.create();
    expect((await failure(w.sessions.create({ id }))).code).toBe("already_exists");
    expect((await failure(() => w.sessions.setCurrent(UNKNOWN))).code).toBe("not_found");
  });

  test("is one too many above max_sessions, which counts the active ones", async () => {
    await using w = await world({
      change: (settings) => {
        settings.max_sessions = 2;
      },
    });
    const first = await w.sessions.create();
    await w.sessions.create();
    const refused = await failure(w.sessions.create());
    expect([refused.code, refused.message]).toEqual([
      "limit",
      "Resource limit exceeded: active_sessions - Maximum active sessions (2) reached",
    ]);
    await w.sessions.suspend(first.id);
    await w.sessions.create();
    expect((await failure(w.sessions.resume(first.id))).code).toBe("limit");
  });

  test("that is idle for long ends by itself, and stays in the list", async () => {
    await using w = await world({
      change: (settings) => {
        settings.session_timeout_seconds = 1;
      },
    });
    const { id } = await w.sessions.create();
    const deadline = Date.now() + 20_000;
    while (w.sessions.get(id).status === "active" && Date.now() < deadline) await Bun.sleep(50);
    expect(w.sessions.get(id).status).toBe("completed");
    expect(w.sessions.list({ status: "completed" }).map((s) => s.id)).toEqual([id]);
  });

  test("goes back to a checkpoint", async () => {
    await using w = await world();
    const { id } = await w.sessions.create({ name: "n", tags: ["before"] });
    await w.sessions.setValue(id, "kept", "old");
    const checkpoint = await w.sessions.checkpoint(id, "here");
    await w.sessions.setValue(id, "kept", "new");
    await w.sessions.setValue(id, "added", true);
    await w.sessions.setTags(id, ["after"]);
    await w.restart();
    expect(w.sessions.checkpoints(id)).toMatchObject([{ id: checkpoint, name: "here" }]);
    await w.sessions.restore(id, checkpoint);
    expect(w.sessions.values(id)).toEqual({ kept: "old" });
    expect(w.sessions.get(id).tags).toEqual(["before"]);
    expect((await failure(w.sessions.restore(id, UNKNOWN))).message).toBe(`Checkpoint not found: ${UNKNOWN}`);
  });

  test("keeps no values while it rests", async () => {
    await using w = await world();
    const { id } = await w.sessions.create();
    await w.sessions.suspend(id);
    expect((await failure(w.sessions.setValue(id, "k", 1))).message).toBe(
      "Invalid operation: Cannot change state of a suspended session",
    );
  });

  test("of a kernel comes with the first thing that needs it, and ends with the kernel", async () => {
    await using w = await world({ ownSession: "kernel-session-k1" });
    expect(w.sessions.list()).toEqual([]);
    const id = await w.sessions.current();
    expect(w.sessions.get(id!)).toMatchObject({ name: "kernel-session-k1", status: "active" });
    expect(await w.sessions.current()).toBe(id);
    await w.restart();
    expect(w.sessions.get(id!).status).toBe("completed");
  });
});

describe("A list of sessions", () => {
  test("holds what its query says, in its order", async () => {
    await using w = await world();
    const ids: Record<string, string> = {};
    for (const [name, tags, createdBy] of [
      ["Alpha", ["red"], "ann"],
      ["beta", ["red", "blue"], "bob"],
      ["gamma", [], "ann"],
    ] as const) {
      ids[name] = (await w.sessions.create({ name, tags, createdBy, description: `about ${name}` })).id;
      await Bun.sleep(5);
    }
    await w.sessions.complete(ids.beta!);
    const names = (query: Parameters<SessionService["list"]>[0]) => w.sessions.list(query).map((s) => s.name);
    expect(names({})).toEqual(["beta", "gamma", "Alpha"]);
    expect(names({ sortBy: "created_at" })).toEqual(["gamma", "beta", "Alpha"]);
    expect(names({ sortBy: "name" })).toEqual(["Alpha", "beta", "gamma"]);
    expect(names({ sortBy: "created_at", sortDescending: false, offset: 1, limit: 1 })).toEqual(["beta"]);
    expect(names({ status: "active", sortBy: "name" })).toEqual(["Alpha", "gamma"]);
    expect(names({ tags: ["red"], sortBy: "name" })).toEqual(["Alpha", "beta"]);
    expect(names({ tags: ["red", "blue"] })).toEqual(["beta"]);
    expect(names({ createdBy: "ann", sortBy: "name" })).toEqual(["Alpha", "gamma"]);
    expect(names({ searchText: "ALPHA" })).toEqual(["Alpha"]);
    expect(names({ searchText: "blue" })).toEqual(["beta"]);
    const betaMs = Date.parse(w.sessions.get(ids.beta!).created_at);
    expect(names({ createdAfterMs: betaMs, sortBy: "name" })).toEqual(["beta", "gamma"]);
    expect(names({ createdBeforeMs: betaMs, sortBy: "name" })).toEqual(["Alpha", "beta"]);
    expect(names({ limit: 0 })).toEqual([]);
  });
});
