import { describe, expect, test } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isRunning, KernelSandbox, until } from "../../support/kernel.ts";

const FREE_PID = 2 ** 22 + 1; // above Linux's largest

/** Field of /proc/PID/stat, numbered as in proc(5). */
function stat(pid: number, field: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[field - 3]);
}

describe("llmspell kernel start --daemon", () => {
  test("leaves the terminal: a session of its own, no standard streams, its directory and mask", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--id", "d1"]);
    const { pid } = started;
    expect(stat(pid, 6)).toBe(pid); // session
    expect(stat(pid, 7)).toBe(0); // no terminal
    expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe("/dev/null");
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toBe("/dev/null");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/tmp");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Umask:\s+0027$/m);
    expect(readFileSync(started.pid_file!, "utf8").trim()).toBe(String(pid));
    expect(started.pid_file).toBe(join(box.tmp, "llmspell-kernel-d1.pid"));
    expect(started.log_file).toBe(join(box.data, "logs", "kernel-d1.log"));
    expect(statSync(started.connection_file).mode & 0o777).toBe(0o600);
    expect(box.connection(started)).toMatchObject({ kernel_id: "d1", pid, signature_scheme: "hmac-sha256" });
  });

  test("ends when it is told to, although its log's directory is gone", async () => {
    using box = new KernelSandbox();
    const { pid } = await box.daemon(["--id", "homeless"]);
    rmSync(box.data, { recursive: true });
    process.kill(pid, "SIGTERM");
    await until(() => !isRunning(pid));
  });

  test("tells the starter why it could not start", async () => {
    using box = new KernelSandbox();
    const first = await box.daemon(["--id", "first"]);
    const second = await box.run([
      "kernel",
      "start",
      "--daemon",
      "--port",
      String(first.port),
      "--id",
      "second",
    ]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`the port is in use: 127.0.0.1:${first.port}`);
    expect(existsSync(join(box.data, "kernels", "kernel-second.json"))).toBe(false);
    expect(existsSync(join(box.tmp, "llmspell-kernel-second.pid"))).toBe(false);
  });

  test("one kernel holds a PID file", async () => {
    using box = new KernelSandbox();
    const { pid, pid_file } = await box.daemon(["--id", "one"]);
    const again = await box.run(["kernel", "start", "--daemon", "--port", "0", "--id", "one"]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(`Kernel daemon already running with PID file ${pid_file} (PID: ${pid})`);
  });

  test("of ten that start at once with one PID file, one runs", async () => {
    using box = new KernelSandbox();
    const words = ["--output", "json", "kernel", "start", "--daemon", "--port", "0", "--id", "race"];
    const all = await Promise.all(Array.from({ length: 10 }, () => box.run(words)));
    const winners = all.filter(({ code }) => code === 0);
    expect(winners.length).toBe(1);
    const { pid } = JSON.parse(winners[0]!.stdout) as { pid: number };
    expect(readFileSync(join(box.tmp, "llmspell-kernel-race.pid"), "utf8").trim()).toBe(String(pid));
    expect((await box.run(["kernel", "stop", "race"])).code).toBe(0);
  });

  test("replaces a stale PID file, refuses that of a live process", async () => {
    using box = new KernelSandbox();
    const path = join(box.tmp, "some.pid");
    writeFileSync(path, `${FREE_PID}\n`);
    const { pid } = await box.daemon(["--pid-file", path, "--id", "stale"]);
    expect(readFileSync(path, "utf8").trim()).toBe(String(pid));
    await box.run(["kernel", "stop", "stale"]);

    writeFileSync(path, `${process.pid}\n`);
    const refused = await box.run(["kernel", "start", "--daemon", "--port", "0", "--pid-file", path]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`already running with PID file ${path} (PID: ${process.pid})`);
    expect(refused.stderr).toContain("remove the file");
  });

  test("starts anew after SIGKILL, and what the dead one left is removed", async () => {
    using box = new KernelSandbox();
    const first = await box.daemon(["--id", "phoenix"]);
    process.kill(first.pid, "SIGKILL");
    await until(() => !isRunning(first.pid));
    expect(existsSync(first.connection_file)).toBe(true);
    const listed = await box.run(["kernel", "list"]);
    expect(listed.stdout).toBe("No kernels currently running\n");
    expect(existsSync(first.connection_file)).toBe(false);
    const second = await box.daemon(["--id", "phoenix"]);
    expect(second.pid).not.toBe(first.pid);
  });

  test("--dry-run checks and starts nothing", async () => {
    using box = new KernelSandbox();
    const { port } = await box.daemon(["--id", "taken"]);
    const free = await box.run(["kernel", "start", "--dry-run", "--port", "0"]);
    expect([free.code, free.stderr]).toEqual([0, ""]);
    const taken = await box.run(["kernel", "start", "--dry-run", "--port", String(port)]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain("the port is in use");
    expect(readdirSync(join(box.data, "kernels"))).toEqual(["kernel-taken.json"]);
  });

  test.each([
    [["--port", "70000"], "between 0 and 65535"],
    [["--port", "65533"], "must leave room for 6"],
    [["--id", "../x"], "its id must be letters"],
    [["--max-clients", "0"], "of 1 or more"],
  ])("refuses %j", async (words, message) => {
    using box = new KernelSandbox();
    const refused = await box.run(["kernel", "start", ...words]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(message);
  });
});
