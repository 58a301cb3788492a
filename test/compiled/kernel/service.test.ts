import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemdUnit } from "../../../src/kernel/daemon/units.ts";
import { EXECUTABLE } from "../../support/cli.ts";
import { readExposition } from "../../support/exposition.ts";
import { isRunning, KernelSandbox, until } from "../../support/kernel.ts";

const analyze = Bun.which("systemd-analyze");
const python = Bun.which("python3");

async function verify(
  path: string,
  scope: string[],
  env: Record<string, string>,
): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([analyze!, ...scope, "verify", "--man=no", path], {
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const text = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  return { code: await child.exited, text };
}

describe("llmspell kernel install-service", () => {
  test.skipIf(analyze === null)("writes a user unit that systemd takes", async () => {
    using box = new KernelSandbox();
    const { code, stdout } = await box.run([
      "kernel",
      "install-service",
      "--type",
      "systemd",
      "--port",
      "9700",
    ]);
    expect(code).toBe(0);
    const path = join(box.home, ".config/systemd/user/llmspell-kernel.service");
    expect(stdout).toContain(`Service file written: ${path}`);
    expect(stdout).toContain("systemctl --user enable llmspell-kernel.service");
    expect(statSync(path).mode & 0o777).toBe(0o644);
    const unit = readFileSync(path, "utf8");
    expect(unit).toContain("WantedBy=default.target");
    expect(unit).not.toMatch(/^(User|Group|PrivateTmp)=/m);
    expect(unit).toMatch(
      /^ExecStart=\S+ kernel start --daemon --port 9700 --id llmspell-kernel-9700 --pid-file /m,
    );
    expect(await verify(path, ["--user"], box.env)).toEqual({ code: 0, text: "" });

    const again = await box.run(["kernel", "install-service", "--type", "systemd"]);
    expect(again.stderr).toContain(`Service file already exists at ${path}`);
    const removed = await box.run(["kernel", "uninstall-service", "--type", "systemd", "--keep-running"]);
    expect(removed.stdout).toBe(`Service file removed: ${path}\n`);
    const none = await box.run(["kernel", "uninstall-service", "--type", "systemd", "--keep-running"]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining(`No service file at ${path}`)]);
  });

  test.skipIf(analyze === null)(
    "a unit of the machine runs as its user, in directories of its own",
    async () => {
      using box = new KernelSandbox();
      const data = join(box.home, "with space", ".llmspell");
      const unit = systemdUnit({
        executable: EXECUTABLE,
        name: "sys",
        id: "sys-1",
        port: 9555,
        pidFile: "/run/sys/sys.pid",
        logFile: "/var/log/sys/sys.log",
        system: { user: "root", group: "root", dataDirectory: data },
        environment: { LLMSPELL_HOME: data },
      });
      expect(unit).toContain("WantedBy=multi-user.target");
      expect(unit).toContain("ProtectHome=read-only");
      const path = box.write("sys.service", unit);
      expect(await verify(path, [], box.env)).toEqual({ code: 0, text: "" });
    },
  );

  test.skipIf(python === null)(
    "writes a property list whose label is its file's name, in the foreground",
    async () => {
      using box = new KernelSandbox();
      const words = [
        "kernel",
        "install-service",
        "--type",
        "launchd",
        "--name",
        "mine",
        "--log-file",
        "a & b.log",
      ];
      expect((await box.run(words)).code).toBe(0);
      const path = join(box.home, "Library/LaunchAgents/com.llmspell.mine.plist");
      const read = "import json,plistlib,sys; print(json.dumps(plistlib.load(open(sys.argv[1],'rb'))))";
      const { stdout } = Bun.spawnSync([python!, "-c", read, path]);
      const plist = JSON.parse(stdout.toString());
      expect(plist.Label).toBe("com.llmspell.mine");
      expect(plist.ProgramArguments.slice(1, 7)).toEqual([
        "kernel",
        "start",
        "--port",
        "9555",
        "--id",
        "mine-9555",
      ]);
      expect(plist.ProgramArguments).not.toContain("--daemon");
      expect(plist.StandardErrorPath).toBe(join(box.cwd, "a & b.log"));
      expect(plist.KeepAlive).toEqual({ SuccessfulExit: false, Crashed: true });
    },
  );

  test("the command line of the unit starts a kernel, and that of its end stops it", async () => {
    using box = new KernelSandbox();
    await box.run(["kernel", "install-service", "--type", "systemd", "--name", "svc", "--port", "19555"]);
    const unit = readFileSync(join(box.home, ".config/systemd/user/svc.service"), "utf8");
    const words = (key: string) =>
      new RegExp(`^${key}=\\S+ (.*)$`, "m").exec(unit)![1]!.replaceAll("%t", box.tmp).split(" ");
    const started = await box.run(words("ExecStart"));
    expect([started.code, started.stderr.replace(/^Connection file.*\n/, "")]).toEqual([0, ""]);
    const pid = Number(readFileSync(join(box.tmp, "svc.pid"), "utf8"));
    expect(isRunning(pid)).toBe(true);
    expect((await box.run(words("ExecStop"))).code).toBe(0);
    expect(isRunning(pid)).toBe(false);
  });
});

/** Prints every datagram that comes to the socket. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + sys.argv[1][1:] if sys.argv[1][0] == "@" else sys.argv[1])
print("bound", flush=True)
while True:
    print(repr(s.recv(4096)), flush=True)
`;

describe("sd_notify", () => {
  test.skipIf(python === null).each(["path", "abstract"])(
    "a kernel says when it is ready and when it ends, to a socket with %s name",
    async (kind) => {
      using box = new KernelSandbox();
      const address = kind === "path" ? join(box.tmp, "notify") : `@${box.root}`;
      const listener = Bun.spawn([python!, "-c", LISTENER, address], { stdout: "pipe" });
      let heard = "";
      void (async () => {
        for await (const chunk of listener.stdout) heard += new TextDecoder().decode(chunk);
      })();
      await until(() => heard.includes("bound"));
      const { process: kernel, started } = await box.foreground([], { env: { NOTIFY_SOCKET: address } });
      await until(() => heard.includes(`b'READY=1\\nSTATUS=Listening on 127.0.0.1:${started.port}'`));
      kernel.kill("SIGTERM");
      await until(() => heard.includes("b'STOPPING=1'"));
      expect(await kernel.exited).toBe(0);
      listener.kill();
    },
  );
});

describe("[monitoring]", () => {
  test("gives health and Prometheus' figures over HTTP, only where it is asked for", async () => {
    using box = new KernelSandbox();
    expect((await box.daemon(["--id", "silent"])).monitoring_port).toBeUndefined();
    const file = box.write(
      "k.toml",
      "[monitoring]\nenabled = true\nport = 0\n[health]\nmax_memory_mb = 100000\n",
    );
    const started = await box.daemon(["--id", "told", "--config", file]);
    const base = `http://127.0.0.1:${started.monitoring_port}`;
    const health = await fetch(`${base}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      system: { pid: started.pid },
      kernel_info: { name: "llmspell", kernel_id: "told", execution_count: 0 },
      thresholds: { max_memory_mb: 100_000 },
    });
    const metrics = await fetch(`${base}/metrics`);
    expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const families = readExposition(await metrics.text());
    const [info] = families.get("llmspell_info")!.samples;
    expect(info).toMatchObject({ labels: { kernel_id: "told" }, value: 1 });
    expect((await fetch(`${base}/`)).status).toBe(404);
    expect((await fetch(`${base}/health`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${base}/health`, { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await fetch(`${base}/health`, { headers: { origin: "https://evil.example" } })).status).toBe(403);
  });

  test("shows what scripts count beside what they do", async () => {
    using box = new KernelSandbox();
    const file = box.write("k.toml", "[monitoring]\nenabled = true\nport = 0\n");
    const started = await box.daemon(["--id", "counting", "--config", file]);
    const script = `
      Metrics.increment("orders.taken", 3, {kind = "a \\"b\\"\\n"})
      Metrics.histogram("waits", {unit = "ms", buckets = {100, 1000}}):record(250)
      pcall(Tool.execute, "calculator", {expression = "1/"})
      print(Metrics.get("orders.taken"))`;
    const code = box.write("count.lua", script);
    for (const total of ["3", "6"]) {
      const done = await box.run(["run", code, "--kernel", "counting"]);
      expect([done.stderr, done.stdout]).toEqual(["", `${total}\n`]);
    }
    const text = await (await fetch(`http://127.0.0.1:${started.monitoring_port}/metrics`)).text();
    const families = readExposition(text);
    const samples = (name: string) =>
      families.get(`llmspell_${name}`)?.samples.map(({ name: _, ...rest }) => rest);
    expect(samples("script_orders_taken_total")).toEqual([{ labels: { kind: 'a "b"\n' }, value: 6 }]);
    expect(samples("script_waits_seconds")).toEqual([
      { labels: { le: "0.1" }, value: 0 },
      { labels: { le: "1" }, value: 2 },
      { labels: { le: "+Inf" }, value: 2 },
      { labels: {}, value: 0.5 },
      { labels: {}, value: 2 },
    ]);
    expect(samples("tool_errors_total")).toEqual([
      { labels: { tool: "calculator", type: "invalid_argument" }, value: 2 },
    ]);
    expect(samples("execution_calls_total")).toEqual([{ labels: {}, value: 2 }]);
    expect(samples("requests_total")).toContainEqual({ labels: { type: "execute" }, value: 2 });
    expect(samples("executions_total")).toEqual([{ labels: {}, value: 2 }]);
  });

  test("an unwell kernel is status 503, with the reason", async () => {
    using box = new KernelSandbox();
    const file = box.write("k.toml", "[monitoring]\nenabled = true\nport = 0\n[health]\nmax_memory_mb = 1\n");
    const started = await box.daemon(["--config", file]);
    const health = await fetch(`http://127.0.0.1:${started.monitoring_port}/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({
      status: "Unhealthy",
      issues: [expect.stringMatching(/^Memory is \d+ MB, the limit is 1 MB$/)],
    });
  });
});
