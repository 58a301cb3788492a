/** Backups that kernels make by the clock: spec/agents-workflows-rag.md section 9.5. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { KernelSandbox, until } from "../../support/kernel.ts";

test("Kernels that listen make backups by the clock, and several on one directory make one", async () => {
  using box = new KernelSandbox();
  box.write(
    "clock.toml",
    '[runtime.state_persistence]\nbackup_enabled = true\n[runtime.state_persistence.backup]\nbackup_dir = "clock"\n' +
      "[runtime.state_persistence.backup.schedule]\nenabled = true\n",
  );
  await box.run(["state", "set", "a", "1"]);
  const kernels = await Promise.all(
    Array.from({ length: 3 }, async () => (await box.foreground(["-c", "clock.toml"])).process),
  );
  const made = () => {
    const names = existsSync(join(box.cwd, "clock")) ? readdirSync(join(box.cwd, "clock")) : [];
    return names.filter((name) => name.endsWith(".meta"));
  };
  await until(() => made().length > 0);
  await Bun.sleep(300);
  const listed = await box.run(["-c", "clock.toml", "--output", "json", "backup", "list"]);
  expect(JSON.parse(listed.stdout)).toMatchObject({
    count: 1,
    backups: [{ type: "full", entry_count: 1, description: "By the schedule" }],
  });
  for (const kernel of kernels) kernel.kill("SIGTERM");
  for (const kernel of kernels) await kernel.exited;
  expect(made()).toHaveLength(1);
});
