import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { code, KernelSandbox, until } from "../../support/kernel.ts";

const PHASES = [
  "Initiated",
  "WaitingForOperations",
  "SavingState",
  "NotifyingClients",
  "Cleanup",
  "Complete",
];

describe("signals of a kernel", () => {
  test("SIGTERM ends it in six phases and lets what runs finish", async () => {
    using box = new KernelSandbox();
    const { process: kernel, started } = await box.foreground([
      "--log-file",
      join(box.tmp, "k.log"),
      "--id",
      "t",
    ]);
    const client = await box.connect(started);
    const begun = Promise.withResolvers<void>();
    const running = client.request(
      code(`print("begun") local t = os.clock() while os.clock() - t < 0.5 do end return "done"`),
      { onEvent: () => begun.resolve() },
    );
    await begun.promise;
    kernel.kill("SIGTERM");
    expect(await running).toMatchObject({ status: "ok", value: "done" });
    expect(await kernel.exited).toBe(0);
    const phases = [...readFileSync(join(box.tmp, "k.log"), "utf8").matchAll(/phase=(\w+)/g)].map(
      ([, p]) => p!,
    );
    expect(phases).toEqual(PHASES);
    expect(existsSync(started.connection_file)).toBe(false);
    const state = JSON.parse(readFileSync(join(box.data, "kernel_state.json"), "utf8"));
    expect(state).toMatchObject({ shutdown_reason: "graceful", kernel_id: "t", execution_count: 1 });
  });

  test("a new request is refused while it ends, and what does not finish is interrupted", async () => {
    using box = new KernelSandbox();
    box.write("llmspell.toml", "[shutdown]\noperation_timeout_secs = 1\n");
    const log = join(box.tmp, "k.log");
    const { process: kernel, started } = await box.foreground(["--log-file", log]);
    const client = await box.connect(started);
    const begun = Promise.withResolvers<void>();
    const endless = client.request(code(`print("begun") while true do end`), {
      onEvent: () => begun.resolve(),
    });
    await begun.promise;
    kernel.kill("SIGTERM");
    await until(() => readFileSync(log, "utf8").includes("WaitingForOperations"));
    const late = await client.request(code("return 1"));
    expect(late).toMatchObject({
      status: "error",
      error: { message: "Kernel is shutting down, not accepting new requests" },
    });
    expect(await endless).toMatchObject({ status: "error", error: { code: "interrupted" } });
    expect(await kernel.exited).toBe(0);
    expect(readFileSync(log, "utf8")).toContain("operations_cancelled=1");
  });

  test("a second SIGTERM ends it at once, with code 1", async () => {
    using box = new KernelSandbox();
    const log = join(box.tmp, "k.log");
    const { process: kernel, started } = await box.foreground(["--log-file", log]);
    const client = await box.connect(started);
    const begun = Promise.withResolvers<void>();
    void client.request(code(`print("begun") while true do end`), { onEvent: () => begun.resolve() });
    await begun.promise;
    kernel.kill("SIGTERM");
    await until(() => readFileSync(log, "utf8").includes("WaitingForOperations"));
    kernel.kill("SIGTERM");
    expect(await kernel.exited).toBe(1);
    expect(existsSync(started.connection_file)).toBe(false);
    expect(readFileSync(log, "utf8")).toContain("graceful=false");
  });

  test("SIGINT interrupts what runs; where nothing runs it ends a kernel in the foreground", async () => {
    using box = new KernelSandbox();
    const { process: kernel, started } = await box.foreground();
    const client = await box.connect(started);
    const begun = Promise.withResolvers<void>();
    const endless = client.request(code(`print("begun") while true do end`), {
      onEvent: () => begun.resolve(),
    });
    await begun.promise;
    kernel.kill("SIGINT");
    expect(await endless).toMatchObject({ status: "error", error: { code: "interrupted" } });
    expect(await client.request(code("return 1 + 1"))).toMatchObject({ status: "ok", value: 2 });
    kernel.kill("SIGINT");
    expect(await kernel.exited).toBe(0);
  });

  test("SIGINT leaves an idle daemon alone", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon();
    process.kill(started.pid, "SIGINT");
    const client = await box.connect(started);
    expect(await client.request(code("return 7"))).toMatchObject({ status: "ok", value: 7 });
    await client.shutdown();
  });

  test.each(["SIGUSR1", "SIGHUP"] as const)(
    "%s reads the configuration again and says what changed",
    async (signal) => {
      using box = new KernelSandbox();
      const file = box.write("k.toml", "[health]\nmax_connections = 50\n");
      const started = await box.daemon(["--id", "r", "--config", file]);
      writeFileSync(
        file,
        '[health]\nmax_connections = 60\n[logging]\nlog_level = "debug"\n[kernel]\nport = 9000\n',
      );
      process.kill(started.pid, signal);
      await until(() => box.logOf(started).includes("configuration reloaded"));
      const log = box.logOf(started);
      expect(log).toContain("setting changed key=health.max_connections old=50 new=60");
      expect(log).toContain("setting changed, counts after a restart key=kernel.port old=9555 new=9000");
      const client = await box.connect(started);
      expect(await client.request({ type: "kernel_status" })).toMatchObject({
        thresholds: { max_connections: 60 },
      });
      await client.request(code("return 1"), { id: "the-cell" });
      expect(box.logOf(started)).toMatch(/DEBUG kernel: request answered type=execute .*id=\S+/);
      await client.shutdown();
    },
  );

  test("an invalid configuration changes nothing", async () => {
    using box = new KernelSandbox();
    const file = box.write("k.toml", "[health]\nmax_connections = 50\n");
    const started = await box.daemon(["--config", file]);
    writeFileSync(file, "[health]\nmax_connections = -1\n");
    process.kill(started.pid, "SIGUSR1");
    await until(() => box.logOf(started).includes("configuration not reloaded, the old one stays"));
    const client = await box.connect(started);
    expect(await client.request({ type: "kernel_status" })).toMatchObject({
      thresholds: { max_connections: 50 },
    });
    await client.shutdown();
  });

  test("kernel.toml of the data directory counts at a reload", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon();
    writeFileSync(join(box.data, "kernel.toml"), "max_connections = 7\ntimeout_secs = 1\n");
    process.kill(started.pid, "SIGHUP");
    await until(() => box.logOf(started).includes("configuration reloaded"));
    const client = await box.connect(started);
    expect(await client.request({ type: "kernel_status" })).toMatchObject({
      thresholds: { max_connections: 7 },
    });
    expect(await client.request(code("while true do end"))).toMatchObject({
      status: "error",
      error: { code: "timeout" },
    });
    await client.shutdown();
  });

  test("SIGUSR2 writes the state to a file of its own", async () => {
    using box = new KernelSandbox();
    const started = await box.daemon(["--id", "dump"]);
    const client = await box.connect(started);
    await client.request(code("return 1"));
    process.kill(started.pid, "SIGUSR2");
    const directory = join(box.data, "dumps");
    const name = await until(() =>
      existsSync(directory) ? readdirSync(directory).find((n) => n.endsWith(".json")) : undefined,
    );
    const path = join(directory, name);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(JSON.parse(text)).toMatchObject({
      kernel: { name: "llmspell", id: "dump" },
      config: { log_level: "info", timeout_secs: 300 },
      metrics: { state_dumps: 1, successful_dumps: 0 },
      kernel_state: { execution_count: 1 },
    });
    expect(text).not.toContain(box.connection(started).token);
    expect(text).not.toContain(box.connection(started).key);
    await client.shutdown();
  });
});
