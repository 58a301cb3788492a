import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { code, isRunning, KernelSandbox, until } from "../../support/kernel.ts";

describe("llmspell kernel status", () => {
  test("says what each kernel does", async () => {
    using box = new KernelSandbox();
    // however busy the machine is
    box.write("config.toml", "[health]\nmax_cpu_percent = 100\nmax_avg_latency_us = 1000000000\n");
    const started = await box.daemon(["-c", "config.toml", "--id", "busy"]);
    const client = await box.connect(started);
    const begun = Promise.withResolvers<void>();
    const endless = client.request(code(`print("x") while true do end`), { onEvent: () => begun.resolve() });
    await begun.promise;
    const { stdout } = await box.run(["--output", "json", "kernel", "list"]);
    const [{ kernel, metrics }] = JSON.parse(stdout);
    expect(kernel).toMatchObject({ id: "busy", pid: started.pid, port: started.port, status: "Busy" });
    expect(metrics).toMatchObject({ active_connections: 1, uptime: { secs: expect.any(Number) } });
    const vmRss =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${started.pid}/status`, "utf8"))![1]) * 1024;
    expect(Math.abs(metrics.memory_bytes - vmRss)).toBeLessThan(vmRss / 2);
    process.kill(started.pid, "SIGINT");
    await endless;
    const detail = await box.run(["kernel", "status", "busy"]);
    expect(detail.stdout).toMatch(/^Status:\s+Idle$/m);
    expect(detail.stdout).toMatch(/^Health:\s+Healthy$/m);
    expect(detail.stdout).toMatch(/^Executions:\s+1$/m);
    expect((await box.run(["kernel", "list", "--quiet"])).stdout).toBe("busy\n");
    await client.shutdown();
  });

  test("a kernel that is stopped by a debugger is Unknown", async () => {
    using box = new KernelSandbox();
    const { pid } = await box.daemon(["--id", "frozen"]);
    process.kill(pid, "SIGSTOP");
    const { stdout } = await box.run(["--output", "json", "kernel", "status"]);
    expect(JSON.parse(stdout)[0]).toMatchObject({
      kernel: { status: "Unknown" },
      metrics: { cpu_percent: null },
    });
    process.kill(pid, "SIGCONT");
  });

  test("without kernels: a line, an empty list, an error for a name", async () => {
    using box = new KernelSandbox();
    expect((await box.run(["kernel", "list"])).stdout).toBe("No kernels currently running\n");
    expect((await box.run(["--output", "json", "kernel", "list"])).stdout).toBe("[]\n");
    const unknown = await box.run(["kernel", "status", "x"]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("Kernel 'x' not found")]);
  });
});

describe("llmspell kernel stop", () => {
  test("by id, by PID file, all of them, none", async () => {
    using box = new KernelSandbox();
    const [a, b, c] = [
      await box.daemon(["--id", "a"]),
      await box.daemon(["--id", "b"]),
      await box.daemon(["--id", "c"]),
    ];
    const one = await box.run(["kernel", "stop", "a"]);
    expect(one.stdout).toBe(`Stopping kernel a (PID: ${a.pid})\n✓ Kernel a stopped successfully\n`);
    const two = await box.run(["kernel", "stop", "--pid-file", b.pid_file!]);
    expect(two.code).toBe(0);
    expect([isRunning(a.pid), isRunning(b.pid), isRunning(c.pid)]).toEqual([false, false, true]);
    expect([existsSync(b.pid_file!), existsSync(b.connection_file)]).toEqual([false, false]);
    const rest = await box.run(["kernel", "stop", "--all"]);
    expect(rest.stdout).toContain("✓ Successfully stopped 1 kernel(s)");
    expect((await box.run(["kernel", "stop", "--all"])).stdout).toBe("No kernels found to stop\n");
    expect(existsSync(c.log_file!)).toBe(true);
  });

  test("kills what does not end in time, and clears what it left", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--id", "deaf"]);
    process.kill(started.pid, "SIGSTOP");
    const { code: exit } = await box.run(["kernel", "stop", "deaf", "--timeout", "1"]);
    expect(exit).toBe(0);
    expect(isRunning(started.pid)).toBe(false);
    expect([existsSync(started.connection_file), existsSync(started.pid_file!)]).toEqual([false, false]);
  });

  test("never ends a process that is no kernel, whatever a PID file says", async () => {
    using box = new KernelSandbox();
    const path = join(box.tmp, "old.pid");
    const other = Bun.spawn(["sleep", "60"]);
    writeFileSync(path, `${other.pid}\n`);
    const refused = await box.run(["kernel", "stop", "--pid-file", path]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("has ended")]);
    expect(isRunning(other.pid)).toBe(true);
    other.kill();
  });

  test.each([
    [["--id", "a", "--pid-file", "b"], "--id and --pid-file both name one"],
    [["--all", "--id", "a"], "--all names all of them"],
    [[], "none is named"],
  ])("refuses %j", async (words, message) => {
    using box = new KernelSandbox();
    const refused = await box.run(["kernel", "stop", ...words]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("limits of a kernel", () => {
  test("it ends by itself when nobody asks it anything", async () => {
    using box = new KernelSandbox();
    const { process: kernel } = await box.foreground(["--idle-timeout", "1"]);
    expect(await kernel.exited).toBe(0);
  });

  test("--max-clients refuses the next one, with the setting, until one leaves", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--max-clients", "2"]);
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => box.connect(started)));
    await a!.request(code("x = 41"));
    expect(await b!.request(code("return x + 1"))).toMatchObject({ status: "ok", value: 42 });
    expect(await c!.request(code("return 3"))).toMatchObject({
      status: "error",
      error: { code: "limit", message: "Cannot take another client: kernel.max_clients is 2" },
    });
    await a!.shutdown();
    const reply = await until(async () => {
      const tried = await c!.request(code("return 3"));
      return tried.status === "ok" ? tried : undefined;
    });
    expect(reply).toMatchObject({ value: 3 });
    await Promise.all([b!.shutdown(), c!.shutdown()]);
  });

  test("executions of many clients take turns, other requests are answered meanwhile", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon();
    const [a, b] = [await box.connect(started), await box.connect(started)];
    const begun = Promise.withResolvers<void>();
    const first = a.request(
      code(`order = {"a"} print("x") local t = os.clock() while os.clock() - t < 0.5 do end`),
      {
        onEvent: () => begun.resolve(),
      },
    );
    await begun.promise;
    let isFirstOut = false;
    void first.then(() => {
      isFirstOut = true;
    });
    const second = b.request(code(`order[#order + 1] = "b" return table.concat(order)`));
    expect(await b.request({ type: "tool", command: "list" })).toMatchObject({ status: "ok" });
    expect(isFirstOut).toBe(false);
    expect(await second).toMatchObject({ status: "ok", value: "ab" });
    await Promise.all([a.shutdown(), b.shutdown()]);
  });
});

describe("files of other users", () => {
  test("a PID file of another user is refused", async () => {
    using box = new KernelSandbox();
    for (const path of [box.root, box.home, box.tmp, box.cwd]) chmodSync(path, 0o777);
    const asUser =
      process.getuid!() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const words = ["kernel", "start", "--port", "0", "--pid-file", "/etc/passwd"]; // root's
    const child = Bun.spawn([...asUser, join(process.cwd(), "dist/llmspell"), ...words], {
      env: box.env,
      cwd: box.cwd,
      stderr: "pipe",
    });
    expect(await new Response(child.stderr).text()).toContain(
      "PID file /etc/passwd: it belongs to another user",
    );
    expect(await child.exited).toBe(1);
  });
});

describe("correlation ids", () => {
  test("run from a client's request to the tool that its script calls", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--trace", "debug"]);
    const client = await box.connect(started);
    const call = (input: string) => client.request(code(`Tool.execute("calculator", {input = "${input}"})`));
    await Promise.all([call("1 + 1"), call("2 + 2")]);
    const idOf = (line: string) => /id=(\S+)$/.exec(line)?.[1];
    const lines = box.logOf(started).split("\n");
    const ids = (what: RegExp) => lines.filter((line) => what.test(line)).map(idOf);
    const requests = ids(/request answered type=execute/);
    expect(new Set(requests).size).toBe(2);
    expect(ids(/tool call completed/).sort()).toEqual([...requests].sort());
    await client.shutdown();
  });
});

describe("llmspell kernel logs", () => {
  test("shows the last lines, of a kernel that runs or ran", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--id", "talks"]);
    await box.run(["kernel", "stop", "talks"]);
    const all = box.logOf(started);
    const last = await box.run(["kernel", "logs", "talks", "--lines", "2"]);
    expect(last.stdout).toBe(`${all.trimEnd().split("\n").slice(-2).join("\n")}\n`);
    const none = await box.run(["kernel", "logs", "never"]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("no such file")]);
  });

  test("--follow goes on through a rotation", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--id", "f", "--log-rotate-size", "2000", "--trace", "debug"]);
    const follow = box.start(["kernel", "logs", "f", "--follow"]);
    let seen = "";
    void (async () => {
      for await (const chunk of follow.stdout) seen += new TextDecoder().decode(chunk);
    })();
    await until(() => seen.includes("kernel started"));
    const client = await box.connect(started);
    for (let i = 0; i < 40; i++) await client.request({ type: "is_complete", code: "return" });
    await client.request(code("return 1"));
    await until(() => seen.includes("type=execute"));
    follow.kill("SIGINT");
    expect(await follow.exited).toBe(130);
    await client.shutdown();
  });
});
