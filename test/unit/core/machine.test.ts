/** What this process may use of the machine: files as Linux prints them, and `nproc`, `lscpu` and `taskset` of util-linux. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { cgroupLimits, readText } from "../../../src/core/cgroup.ts";
import { machineMemory } from "../../../src/core/machine-memory.ts";
import { cpuList, processors } from "../../../src/core/processors.ts";

const from = (files: Record<string, string>) => (path: string) => files[path];
const GIB = 2 ** 30;

describe("cgroupLimits, version 2", () => {
  const own = "/sys/fs/cgroup/user.slice/app.scope";
  const files = {
    "/proc/self/cgroup": "0::/user.slice/app.scope\n",
    [`${own}/cpu.max`]: "150000 100000\n",
    [`${own}/memory.max`]: "max\n",
    [`${own}/memory.high`]: `${6 * GIB}\n`,
    [`${own}/memory.current`]: `${3 * GIB}\n`,
    [`${own}/memory.stat`]: `anon 5\nfile 7\ninactive_file ${GIB}\nactive_file 2\n`,
    "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/user.slice/memory.max": "max\n",
  };

  test("takes quota and memory of the own group, without what the kernel can drop", () => {
    expect(cgroupLimits(from(files))).toEqual({
      cpus: 2,
      memory: { limitBytes: 6 * GIB, usedBytes: 2 * GIB },
    });
  });

  test("takes a parent's limit where it is tighter", () => {
    const parent = "/sys/fs/cgroup/user.slice";
    const tight = {
      ...files,
      [`${parent}/cpu.max`]: "50000 100000\n",
      [`${parent}/memory.max`]: `${4 * GIB}\n`,
      [`${parent}/memory.current`]: `${3.5 * GIB}\n`,
    };
    expect(cgroupLimits(from(tight))).toEqual({
      cpus: 1,
      memory: { limitBytes: 4 * GIB, usedBytes: 3.5 * GIB },
    });
  });

  test("takes the root's in a container, whose own group is mounted there", () => {
    const container = {
      "/proc/self/cgroup": "0::/docker/0123\n",
      "/sys/fs/cgroup/cpu.max": "200000 100000\n",
      "/sys/fs/cgroup/memory.max": `${2 * GIB}\n`,
      "/sys/fs/cgroup/memory.current": "4096\n",
    };
    expect(cgroupLimits(from(container))).toEqual({
      cpus: 2,
      memory: { limitBytes: 2 * GIB, usedBytes: 4096 },
    });
  });

  test("has none without limits, and none without control groups", () => {
    expect(cgroupLimits(from({ "/proc/self/cgroup": "0::/\n" }))).toEqual({});
    expect(cgroupLimits(from({}))).toEqual({});
  });
});

describe("cgroupLimits, version 1", () => {
  const files = {
    "/proc/self/cgroup": "4:memory:/lxc/a\n2:cpuacct,cpu:/\n1:name=systemd:/\n0::/\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/memory/lxc/a/memory.limit_in_bytes": `${GIB}\n`,
    "/sys/fs/cgroup/memory/lxc/a/memory.usage_in_bytes": `${GIB / 2}\n`,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  };

  test("takes quota and limit, and knows the number that means none", () => {
    expect(cgroupLimits(from(files))).toEqual({
      cpus: 3,
      memory: { limitBytes: GIB, usedBytes: GIB / 2 },
    });
    const free = { ...files, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" };
    expect(cgroupLimits(from(free)).cpus).toBeUndefined();
  });
});

describe("machineMemory", () => {
  const meminfo = { "/proc/meminfo": "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n" };

  test("is the machine's", () => {
    expect(machineMemory(from(meminfo), undefined)).toEqual({
      totalBytes: 16 * GIB,
      freeBytes: 8 * GIB,
      boundBy: "machine",
    });
  });

  test("is what a control group leaves, where that is less", () => {
    const group = { limitBytes: 4 * GIB, usedBytes: GIB };
    expect(machineMemory(from(meminfo), group)).toEqual({
      totalBytes: 4 * GIB,
      freeBytes: 3 * GIB,
      boundBy: "cgroup",
    });
    const wide = { limitBytes: 15 * GIB, usedBytes: GIB };
    expect(machineMemory(from(meminfo), wide).freeBytes).toBe(8 * GIB);
    const full = { limitBytes: 4 * GIB, usedBytes: 5 * GIB };
    expect(machineMemory(from(meminfo), full).freeBytes).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("agrees with `free`", () => {
    const columns = Bun.spawnSync(["free", "-b"]).stdout.toString().split("\n")[1]!.split(/\s+/);
    const ours = machineMemory((path) => (path === "/proc/meminfo" ? readText(path) : undefined));
    expect(ours.totalBytes).toBe(Number(columns[1]));
    expect(Math.abs(ours.freeBytes - Number(columns[6]))).toBeLessThan(0.1 * ours.totalBytes);
  });
});

describe("cpuList", () => {
  test("reads the kernel's lists", () => {
    expect(cpuList("0-3,8,10-11\n")).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(cpuList("\n")).toEqual([]);
  });
});

describe("processors", () => {
  const CPU = "/sys/devices/system/cpu";
  const status = (list: string) => ({ "/proc/self/status": `Name:\tx\nCpus_allowed_list:\t${list}\n` });
  const pairs = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, cpu) => [
        `${CPU}/cpu${cpu}/topology/core_cpus_list`,
        `${cpu - (cpu % 2)}-${cpu - (cpu % 2) + 1}\n`,
      ]),
    );

  test("counts each core once, not the threads on it", () => {
    const read = from({ ...status("0-7"), ...pairs(8), [`${CPU}/online`]: "0-7\n" });
    expect(processors(read, "linux")).toEqual({ allowed: 8, cores: 4, fastCores: 4, threads: 4 });
  });

  test("counts what the affinity allows and is online", () => {
    const read = from({ ...status("0,1,4,9"), ...pairs(10), [`${CPU}/online`]: "0-7\n" });
    expect(processors(read, "linux")).toEqual({ allowed: 3, cores: 2, fastCores: 2, threads: 2 });
  });

  test("leaves out the efficiency cores of a hybrid processor", () => {
    const alone = Object.fromEntries(
      [16, 17, 18, 19].map((cpu) => [`${CPU}/cpu${cpu}/topology/core_cpus_list`, `${cpu}\n`]),
    );
    const files = { ...pairs(16), ...alone, "/sys/devices/cpu_core/cpus": "0-15\n" };
    const all = processors(from({ ...files, ...status("0-19") }), "linux");
    expect(all).toEqual({ allowed: 20, cores: 12, fastCores: 8, threads: 8 });
    const slowOnly = processors(from({ ...files, ...status("16-19") }), "linux");
    expect(slowOnly).toEqual({ allowed: 4, cores: 4, fastCores: 4, threads: 4 });
  });

  test("leaves out the small cores of an Arm processor, not its middle ones", () => {
    const capacities = [1024, 871, 871, 871, 250, 250, 250, 250];
    const files = Object.fromEntries(
      capacities.map((capacity, cpu) => [`${CPU}/cpu${cpu}/cpu_capacity`, `${capacity}\n`]),
    );
    const arm = processors(from({ ...files, ...status("0-7") }), "linux");
    expect(arm).toEqual({ allowed: 8, cores: 8, fastCores: 4, threads: 4 });
  });

  test("stays within the quota of a control group", () => {
    const quota = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "150000 100000\n" };
    const read = from({ ...status("0-7"), ...pairs(8), ...quota });
    expect(processors(read, "linux")).toEqual({ allowed: 8, cores: 4, fastCores: 4, quota: 2, threads: 2 });
  });

  test("counts every allowed processor where the kernel tells no topology", () => {
    expect(processors(from(status("2-4")), "linux").threads).toBe(3);
  });

  const hasTools = ["nproc", "lscpu", "taskset"].every((tool) => Bun.which(tool) !== null);
  test.skipIf(!hasTools)("agrees with nproc and lscpu, under taskset too", () => {
    const script = `import { processors } from ${JSON.stringify(join(import.meta.dir, "../../../src/core/processors.ts"))};
      console.log(JSON.stringify(processors()));`;
    const run = (...command: string[]) => Bun.spawnSync(command).stdout.toString().trim();
    const online = run("lscpu", "-p=CPU,CORE,SOCKET,ONLINE").split("\n");
    for (const cpu of [undefined, ...cpuList(run("sh", "-c", "taskset -pc $$ | sed 's/.*: //'"))]) {
      const pin = cpu === undefined ? [] : ["taskset", "-c", `${cpu}`];
      const { allowed, cores } = JSON.parse(run(...pin, process.execPath, "-e", script));
      expect(allowed).toBe(Number(run(...pin, "nproc")));
      const mine = cpu === undefined ? online : online.filter((line) => line.startsWith(`${cpu},`));
      const rows = mine.filter((line) => !line.startsWith("#") && line.endsWith("Y"));
      expect(cores).toBe(new Set(rows.map((row) => row.split(",").slice(1, 3).join())).size);
    }
  });
});
