/** Where events go besides: files, webhooks, the database, other processes. */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { HAS_REDIS, redisServer } from "../../support/redis.ts";

interface Exported {
  id: string;
  event_type: string;
  data: unknown;
  metadata: { correlation_id: string };
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Exported);

const PUBLISH = `for i = 1, 500 do Event.publish("order.paid", {n = i, text = "Grüße", list = {1, 2}}) end`;

describe("exported events", () => {
  test("go to a file as JSON lines, its owner's alone, those of the kernel included", async () => {
    using box = new Sandbox();
    box.write("c.toml", `[events.export]\nfile = "events.jsonl"`);
    const done = await box.lua(PUBLISH, { args: ["-c", "c.toml"] });
    expect([done.stderr, done.code]).toEqual(["", 0]);
    const path = join(box.cwd, "events.jsonl");
    const events = linesOf(readFileSync(path, "utf8"));
    const paid = events.filter(({ event_type }) => event_type === "order.paid");
    expect(paid.map(({ data }) => data)).toEqual(
      Array.from({ length: 500 }, (_, i) => ({ list: [1, 2], n: i + 1, text: "Grüße" })),
    );
    expect(paid[0]).toMatchObject({
      language: "lua",
      schema_version: "1.0",
      metadata: { priority: 0, tags: [], ttl: null },
    });
    expect(events.map(({ event_type }) => event_type).filter((type) => type.startsWith("kernel."))).toEqual([
      "kernel.execute_request",
      "kernel.status_change",
      "kernel.execute_reply",
      "kernel.status_change",
    ]);
    expect(new Set(events.map(({ metadata }) => metadata.correlation_id)).size).toBe(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("go to standard output, indented where that is asked for", async () => {
    using box = new Sandbox();
    box.write(
      "c.toml",
      `[events]\nfiltering.include_types = ["mine"]\n[events.export]\nstdout = true\npretty_json = true`,
    );
    const done = await box.lua(`Event.publish("mine", {a = 1})`, { args: ["-c", "c.toml"] });
    expect(JSON.parse(done.stdout)).toMatchObject({ event_type: "mine", data: { a: 1 } });
    expect(done.stdout).toContain('\n  "data": {\n');
  });

  test("a file that cannot be written is warned of once and stops nothing", async () => {
    using box = new Sandbox();
    box.write("c.toml", `[events.export]\nfile = "missing/events.jsonl"`);
    const done = await box.lua(
      `${PUBLISH} print(Event.flush(), Event.get_stats().event_bus_stats.outlets.file.dropped)`,
      {
        args: ["-c", "c.toml"],
      },
    );
    expect([done.stdout, done.code]).toEqual(["true\t502\n", 0]);
    expect(done.stderr.match(/events could not be handed over: file/g)).toHaveLength(1);
  });

  test("go to a webhook in batches, again where it fails for a moment", async () => {
    using box = new Sandbox();
    const bodies: Exported[][] = [];
    let calls = 0;
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        if (calls++ === 0) return new Response("busy", { status: 503 });
        bodies.push(((await request.json()) as { events: Exported[] }).events);
        return new Response("ok");
      },
    });
    box.write(
      "c.toml",
      `[events]\nfiltering.include_types = ["order.*"]\n[events.export]\nwebhook = "http://127.0.0.1:${server.port}/hook"`,
    );
    const done = await box.lua(PUBLISH, { args: ["-c", "c.toml"] });
    expect([done.stderr, done.code]).toEqual(["", 0]);
    expect(bodies.flat().map(({ data }) => (data as { n: number }).n)).toEqual(
      Array.from({ length: 500 }, (_, i) => i + 1),
    );
    expect(bodies.length).toBeLessThan(20);
  });

  test("a webhook that refuses or that nobody answers is warned of and holds nothing up", async () => {
    using box = new Sandbox();
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("no", { status: 403 }),
    });
    for (const [port, reason] of [
      [server.port, "status 403"],
      [1, "Cannot connect"],
    ] as const) {
      box.write("c.toml", `[events.export]\nwebhook = "http://127.0.0.1:${port}/hook"`);
      const done = await box.lua(`Event.publish("a") print("done")`, { args: ["-c", "c.toml"] });
      expect([done.stdout, done.code]).toEqual(["done\n", 0]);
      expect(done.stderr).toContain("events could not be handed over: webhook");
      expect(done.stderr).toContain(reason);
    }
  });
});

const STORE = `[events.persistence]\nenabled = true\n[events.filtering]\ninclude_types = ["order.*", "*.note"]`;

describe("stored events", () => {
  test("are found and replayed by a later process, by pattern, time and correlation", async () => {
    using box = new Sandbox();
    box.write("c.toml", STORE);
    const args = ["-c", "c.toml"];
    const first = await box.lua(
      `local id = "aaaaaaaa-0000-4000-8000-000000000001"
       for i = 1, 300 do Event.publish("order.paid", {n = i}, {tags = {"t"}, priority = 2, target = "shop"}) end
       Event.publish("big.note", 9007199254740993, {correlation_id = id})`,
      { args },
    );
    expect([first.stderr, first.code]).toEqual(["", 0]);
    const second = await box.lua(
      `local sub = Event.subscribe("order.*")
       local all = Event.history{pattern = "order.*", limit = 1000}
       local last = all[300]
       print(#all, all[1].data.n, last.data.n, last.priority, last.metadata.priority, last.metadata.tags[1], last.metadata.target)
       print(Event.history{correlation_id = "aaaaaaaa-0000-4000-8000-000000000001"}[1].data)
       print(#Event.history{pattern = "*.note"}, #Event.history{since = os.time() + 60}, #Event.history{["until"] = 1})
       print(Event.replay{pattern = "order.paid"}, Event.receive(sub).data.n, Event.receive(sub).replayed, #Event.history{limit = 1000})`,
      { args },
    );
    expect(second.stdout).toBe(
      "300\t1\t300\tnil\t2\tt\tshop\n9007199254740993\n1\t0\t0\n300\t1\ttrue\t301\n",
    );
    expect(second.code).toBe(0);
  });

  test("survive SIGKILL once Event.flush has returned", async () => {
    using box = new Sandbox();
    box.write("c.toml", STORE);
    box.write(
      "script.lua",
      `for round = 1, 1000 do
         for i = 1, 20 do Event.publish("order.paid", round) end
         Event.flush()
         print(round) io.stdout:flush()
       end`,
    );
    const proc = box.start(["-c", "c.toml", "run", "script.lua"]);
    let text = "";
    for await (const chunk of proc.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.split("\n").length > 20) proc.kill("SIGKILL");
    }
    await proc.exited;
    const acknowledged = Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1));
    expect(acknowledged).toBeGreaterThanOrEqual(20);
    using db = new Database(join(box.home, ".llmspell/llmspell.db"), { readonly: true });
    const stored = db
      .query(
        "SELECT CAST(payload->>'data' AS INTEGER) AS round, count(*) AS count FROM event GROUP BY round ORDER BY round",
      )
      .all() as { round: number; count: number }[];
    for (let round = 1; round <= acknowledged; round++)
      expect(stored[round - 1]).toEqual({ round, count: 20 });
    expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });

  test("are deleted beyond the number and the age that are kept", async () => {
    using box = new Sandbox();
    box.write("c.toml", STORE.replace("enabled = true", "enabled = true\nmax_events = 100"));
    const done = await box.lua(
      `for i = 1, 500 do Event.publish("order.paid", i) end Event.flush() Event.publish("order.paid", 501) Event.flush() print(#Event.history{limit = 1000})`,
      { args: ["-c", "c.toml"] },
    );
    expect([done.stderr, done.code]).toEqual(["", 0]);
    const again = await box.lua(
      `Event.publish("order.paid", 502) Event.flush() local all = Event.history{limit = 1000} print(#all, all[100].data)`,
      { args: ["-c", "c.toml"] },
    );
    expect(again.stdout).toBe("100\t502\n");
  });
});

describe.skipIf(!HAS_REDIS)("two processes on one Redis server", () => {
  test("hear each other's events", async () => {
    await using server = await redisServer();
    using box = new Sandbox();
    box.write("c.toml", `[events.redis]\nurl = "${server.url}"\nchannel = "here"`);
    box.write(
      "answer.lua",
      `local id = Event.subscribe("ask")
       Event.publish("ready")
       for i = 1, 20 do Event.publish("answer", Event.receive(id, 20000).data * 2) end`,
    );
    box.write(
      "ask.lua",
      `local ready, answers = Event.subscribe("ready"), Event.subscribe("answer")
       print("started") io.stdout:flush()
       Event.receive(ready, 20000)
       local sum = 0
       for i = 1, 20 do Event.publish("ask", i) sum = sum + Event.receive(answers, 20000).data end
       print(sum)`,
    );
    const asking = box.start(["-c", "c.toml", "run", "ask.lua"]);
    const output = asking.stdout.getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await output.read()).value);
    const answering = box.run(["-c", "c.toml", "run", "answer.lua"]);
    for (let piece = await output.read(); !piece.done; piece = await output.read())
      text += decoder.decode(piece.value);
    expect(text).toBe("started\n420\n");
    expect((await answering).code).toBe(0);
    expect(await asking.exited).toBe(0);
  });
});
