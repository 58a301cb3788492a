/** Disks that fill up: a clear error, and nothing half-written that a later run would take for whole. */
import { check, type Figures, type Soak, type SoakOptions } from "./soak.ts";

/** Runs `disk-inside.ts` where mounts are seen by nobody else. */
async function run(options: SoakOptions): Promise<Figures> {
  const unshare = Bun.which("unshare");
  if (process.platform !== "linux" || process.getuid?.() !== 0 || unshare === null) {
    const reason = "only root on Linux can mount a small disk";
    console.error(`disk: skipped: ${reason}`);
    return { skipped: reason };
  }
  const inside = Bun.spawn(
    [unshare, "--mount", "--propagation", "private", process.execPath, `${import.meta.dir}/disk-inside.ts`],
    {
      env: { ...process.env, SOAK_OPTIONS: JSON.stringify(options) },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [stdout, stderr, code] = await Promise.all([
    new Response(inside.stdout).text(),
    new Response(inside.stderr).text(),
    inside.exited,
  ]);
  if (code === 77) {
    console.error(`disk: skipped: ${stderr.trim()}`);
    return { skipped: stderr.trim() };
  }
  check(code === 0, "a disk that fills up", stderr);
  return JSON.parse(stdout);
}

export const disk: Soak = {
  name: "disk",
  description: "disks that fill up at random sizes",
  run,
};
