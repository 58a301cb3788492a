/** `llmspell doctor` in a process of its own: what it finds, by the system's own tools, and what it says of faults. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../../support/cli.ts";
import { faultyGpu } from "../../support/faulty-gpu.ts";
import { generateModel } from "../../support/gguf-models.ts";

interface Report {
  status: string;
  program: { executable: string; bun: string; llama_cpp: string };
  processor: { allowed: number; threads: number; library: string; features: string[]; numa_nodes: number };
  memory: { total_bytes: number };
  libraries: { directory: string; places: { directory: string; problem: string | null }[] };
  devices: {
    found: { name: string }[];
    chosen: string;
    why: string;
    ran_on: string;
    fallback: string | null;
  };
  store: { directory: string; models: { id: string; fits: boolean; problem: string | null }[] };
  configuration: { source: string | null; files: string[]; ignored_keys: string[]; error: string | null };
  profiles: string[];
  problems: { severity: string; message: string; hint: string | null }[];
}

async function doctor(box: Sandbox, env: Record<string, string> = {}, args: string[] = []) {
  const { code, stdout, stderr } = await box.run(["--output", "json", ...args, "doctor"], { env });
  return { code, stderr, report: JSON.parse(stdout) as Report };
}

describe.skipIf(process.platform !== "linux")("llmspell doctor", () => {
  test("finds this machine as the system's tools show it, and tries the built-in model", async () => {
    using box = new Sandbox();
    const { code, stderr, report } = await doctor(box);
    expect([code, stderr]).toEqual([0, ""]);
    expect(report.status).toBe("ok");
    expect(report.problems).toEqual([]);
    expect(report.processor.allowed).toBe(Number(Bun.spawnSync(["nproc"]).stdout.toString()));
    expect(report.processor.library).toMatch(/^libggml-cpu-\w+\.so$/);
    expect(report.libraries.directory).toStartWith(join(box.home, ".cache/llmspell/native/"));
    expect(report.devices).toMatchObject({ chosen: "CPU", ran_on: "CPU", fallback: null });
    expect(report.store.directory).toBe(join(box.home, ".llmspell/models/llamacpp"));
    expect(report.store.models).toEqual([expect.objectContaining({ id: "spell-mini", fits: true })]);
    expect(report.configuration).toEqual({ source: "defaults", files: [], ignored_keys: [], error: null });
    expect(report.profiles).toContain("minimal");
    if (process.arch === "x64") {
      const flags = Bun.spawnSync(["lscpu"]).stdout.toString();
      expect(report.processor.features.includes("AVX2")).toBe(/\bavx2\b/.test(flags));
    }
  });

  test("shows people the same, with nothing on stderr", async () => {
    using box = new Sandbox();
    for (const mode of ["text", "pretty"]) {
      const { code, stdout, stderr } = await box.run(["--output", mode, "doctor"]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("the built-in model answers on CPU");
      expect(stdout).toContain("No problems found");
    }
  });

  test("shows a GPU, and one that fails with what it failed at", async () => {
    using box = new Sandbox();
    const gpu = { GGML_BACKEND_PATH: faultyGpu() };
    const good = await doctor(box, gpu);
    expect(good.report.devices).toMatchObject({
      chosen: "Faulty0 (a GPU for tests)",
      ran_on: "Faulty0 (a GPU for tests)",
    });
    const bad = await doctor(box, { ...gpu, FAULTY_GPU: "start" });
    expect(bad.code).toBe(0);
    expect(bad.report.devices.ran_on).toBe("CPU");
    expect(bad.report.problems).toEqual([
      {
        severity: "warning",
        message: expect.stringMatching(/falls back to the processor: Faulty0 .*failed to initialize Faulty0/),
        hint: expect.stringContaining('device = "cpu"'),
      },
    ]);
    const status = await box.run(["model", "status"], { env: { ...gpu, FAULTY_GPU: "start" } });
    expect(JSON.parse(status.stdout)).toMatchObject({
      device: "CPU",
      device_reason: expect.stringMatching(/^Faulty0/),
    });
  });

  test("says what a driver that ends the process does, and lives", async () => {
    using box = new Sandbox();
    const source = box.write("crash.c", "#include <stdlib.h>\nvoid *ggml_backend_init(void) { abort(); }\n");
    const library = join(box.cwd, "libggml-crash.so");
    expect(Bun.spawnSync(["gcc", "-shared", "-fPIC", source, "-o", library]).exitCode).toBe(0);
    const { code, report } = await doctor(box, { GGML_BACKEND_PATH: library });
    expect(code).toBe(1);
    expect(report.status).toBe("unusable");
    expect(report.problems[0]!.message).toContain("a driver ends the process (SIGABRT)");
  });

  test("fails for a device that is asked for and not there", async () => {
    using box = new Sandbox();
    const config = box.write("c.toml", '[providers.local]\nprovider_type = "llamacpp"\ndevice = "cuda"\n');
    const { code, report } = await doctor(box, {}, ["--config", config]);
    expect(code).toBe(1);
    expect(report.configuration.source).toBe(config);
    expect(report.problems).toEqual([
      {
        severity: "error",
        message: "Cannot use device 'cuda': this build has no such backend",
        hint: expect.any(String),
      },
    ]);
  });

  const canMount = Bun.spawnSync(["unshare", "-rm", "true"], { stderr: "ignore" }).success;
  test.skipIf(!canMount)("works where the libraries cannot be put anywhere", async () => {
    using box = new Sandbox();
    const mounts = [box.home, box.tmp, "/dev/shm"].map((at) => `mount -t tmpfs -o noexec tmpfs ${at}`);
    const command = `${mounts.join(" && ")} && ${EXECUTABLE} --output json doctor`;
    const child = Bun.spawn(["unshare", "-rm", "sh", "-c", command], {
      cwd: box.cwd,
      env: box.env,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    expect([code, stderr]).toEqual([1, ""]);
    const report = JSON.parse(stdout) as Report;
    expect(report.libraries.places.map(({ problem }) => problem)).toEqual(
      report.libraries.places.map(() => "mounted noexec"),
    );
    const [error] = report.problems;
    expect(error).toMatchObject({ severity: "error", hint: expect.stringContaining("XDG_CACHE_HOME") });
    expect(error!.message).toContain("Cannot extract the llama.cpp libraries");
    expect(report.processor.allowed).toBeGreaterThan(0);
  });

  test("works where the first place for libraries is not to be used", async () => {
    using box = new Sandbox();
    writeFileSync(join(box.root, "file"), "");
    const first = await doctor(box, { XDG_CACHE_HOME: join(box.root, "file") });
    expect(first.code).toBe(0);
    expect(first.report.problems).toEqual([
      {
        severity: "warning",
        message: expect.stringContaining(join(box.root, "file/llmspell/native")),
        hint: expect.stringContaining("XDG_CACHE_HOME"),
      },
    ]);
  });

  test("examines the rest where the configuration is wrong", async () => {
    using box = new Sandbox();
    const config = box.write("c.toml", "[runtime]\nmax_concurrent_scripts = 'many'\n");
    const { code, report } = await doctor(box, {}, ["--config", config]);
    expect(code).toBe(1);
    expect(report.configuration.error).toContain("max_concurrent_scripts");
    expect(report.devices.ran_on).toBe("CPU");
  });

  test("names settings that a found file may not make, and damaged models", async () => {
    using box = new Sandbox();
    box.write("llmspell.toml", '[providers.openai]\napi_key = "x"\n');
    const store = join(box.home, ".llmspell/models/llamacpp/broken/latest");
    mkdirSync(store, { recursive: true });
    writeFileSync(join(store, "broken.gguf"), "GGUF");
    const good = join(box.home, ".llmspell/models/llamacpp/small/f32");
    mkdirSync(good, { recursive: true });
    generateModel(good, "llama-f32");
    chmodSync(store, 0o700);
    const { code, report } = await doctor(box);
    expect(code).toBe(0);
    expect(report.configuration.ignored_keys).toEqual(["providers.openai.api_key"]);
    expect(report.store.models.map(({ id, fits }) => [id, fits])).toEqual([
      ["spell-mini", true],
      ["broken:latest", false],
      ["small:f32", true],
    ]);
    expect(report.problems.map(({ message }) => message)).toEqual([
      expect.stringContaining("are ignored"),
      expect.stringContaining("Model 'broken:latest' is damaged"),
    ]);
    for (const { hint } of report.problems) expect(hint).not.toBeNull();
  });
});
