/** 100,000 events from a script as fast as it goes, into the database, over Redis and to a Jupyter client: each is there or counted as lost. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import { Sandbox } from "../../support/cli.ts";
import { debianPython } from "../../support/python.ts";
import { HAS_REDIS, redisServer } from "../../support/redis.ts";

const COUNT = 100_000;
/** All events of some 300 bytes, held at once in both threads, would be beyond that. */
const MOST_KB = 400 << 10;

const STORM = `
local pad = ("x"):rep(50)
for n = 1, ${COUNT} do Event.publish("storm.x", {n = n, pad = pad}) end
Event.flush(60000)
local stats = Event.get_stats().event_bus_stats`;

/** Runs the script, and looks at the most memory that its process held. */
async function stormed(box: Sandbox, script: string, config: string) {
  box.write("c.toml", config);
  box.write("script.lua", script);
  const proc = box.start(["-c", "c.toml", "run", "script.lua"]);
  let mostKb = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${proc.pid}/status`, "utf8");
      mostKb = Math.max(mostKb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // it has ended
    }
  }, 20);
  const [stdout, stderr, code] = await Promise.all([
    new Response(proc.stdout).text(),
    new Response(proc.stderr).text(),
    proc.exited,
  ]);
  clearInterval(look);
  if (process.platform === "linux") expect(mostKb).toBeWithin(1, MOST_KB);
  return { stdout, stderr, code };
}

describe("an event storm", () => {
  test("into the database: what is not stored is counted and warned of once", async () => {
    using box = new Sandbox();
    const { stdout, stderr, code } = await stormed(
      box,
      `${STORM} local s = stats.outlets.store print(s.sent, s.dropped, s.waiting, stats.events_processed)`,
      `[events]\nfiltering.include_types = ["storm.*"]\n[events.persistence]\nenabled = true\n`,
    );
    expect(code).toBe(0);
    const [sent, dropped, waiting, processed] = stdout.trim().split("\t").map(Number);
    expect([sent! + dropped!, waiting, processed]).toEqual([COUNT, 0, COUNT]);
    expect(stderr.match(/events are dropped: store/g)?.length ?? 0).toBe(dropped === 0 ? 0 : 1);
    using db = new Database(join(box.home, ".llmspell", "llmspell.db"), { readonly: true });
    const stored = db.query("SELECT payload FROM event WHERE type = 'storm.x' ORDER BY number").all() as {
      payload: string;
    }[];
    expect(stored).toHaveLength(sent!);
    const numbers = stored.map(({ payload }) => Number(/"n":(\d+)/.exec(payload)![1]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    // the oldest leave where more come than are kept
    expect(numbers.at(-1)).toBe(COUNT);
  }, 120_000);

  test.skipIf(!HAS_REDIS)(
    "over Redis: everything that is not dropped arrives, once and in order",
    async () => {
      await using redis = await redisServer();
      using box = new Sandbox();
      const listener = new RedisClient(redis.url);
      await listener.connect();
      const numbers: number[] = [];
      await listener.subscribe("storm", (message) => {
        for (const { event_type, data } of JSON.parse(message).events)
          if (event_type === "storm.x") numbers.push(data.n);
      });
      const { stdout, stderr, code } = await stormed(
        box,
        `${STORM} local s = stats.outlets.redis print(s.sent, s.dropped, s.waiting)`,
        `[events]\nfiltering.include_types = ["storm.*"]\n[events.redis]\nurl = "${redis.url}"\nchannel = "storm"\n`,
      );
      expect(code).toBe(0);
      const [sent, dropped, waiting] = stdout.trim().split("\t").map(Number);
      expect([sent! + dropped!, waiting]).toEqual([COUNT, 0]);
      expect(stderr.match(/events are dropped: redis/g)?.length ?? 0).toBe(dropped === 0 ? 0 : 1);
      const deadline = Date.now() + 30_000;
      while (numbers.length < sent! && Date.now() < deadline) await Bun.sleep(10);
      listener.close();
      expect(numbers).toHaveLength(sent!);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(numbers.at(-1)).toBe(COUNT);
    },
    120_000,
  );

  test.skipIf(debianPython("jupyter_client") === undefined)(
    "to a Jupyter client: each message is numbered, and what came and what is missed is all there was",
    async () => {
      using box = new Sandbox();
      expect((await box.run(["kernel", "install-kernelspec"])).code).toBe(0);
      const driver = Bun.spawn(
        [debianPython("jupyter_client")!, join(import.meta.dir, "storm.py"), String(COUNT)],
        {
          cwd: box.cwd,
          env: { ...box.env, JUPYTER_PLATFORM_DIRS: "0", PYTHONWARNINGS: "ignore" },
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [stdout, stderr] = await Promise.all([
        new Response(driver.stdout).text(),
        new Response(driver.stderr).text(),
        driver.exited,
      ]);
      const line = stdout.split("\n").find((text) => text.startsWith("{"));
      if (line === undefined) throw new Error(stderr);
      const found = JSON.parse(line);
      expect(found.ordered).toBe(true);
      // numbered without a gap: nothing was lost between kernel and client
      expect(found.last_number).toBe(found.received);
      expect(found.received + found.missed).toBe(COUNT);
      expect(found.last).toBe(COUNT);
      expect(found.answered).toBe("ok");
      expect(found.rss_kb).toBeWithin(1, MOST_KB);
    },
    120_000,
  );
});
