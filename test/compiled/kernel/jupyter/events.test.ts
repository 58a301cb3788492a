import { expect, test } from "bun:test";
import { join } from "node:path";
import { Sandbox } from "../../../support/cli.ts";
import { debianPython } from "../../../support/python.ts";

const python = debianPython("jupyter_client");

test.skipIf(python === undefined)(
  "a Jupyter client gets the events it asks for, and nothing else",
  async () => {
    using box = new Sandbox();
    expect((await box.run(["kernel", "install-kernelspec"])).code).toBe(0);
    const driver = Bun.spawn([python!, join(import.meta.dir, "events.py")], {
      cwd: box.cwd,
      env: { ...box.env, JUPYTER_PLATFORM_DIRS: "0", PYTHONWARNINGS: "ignore" },
      stdout: "pipe",
      stderr: "ignore",
    });
    const stdout = await new Response(driver.stdout).text();
    const found = JSON.parse(stdout.slice(stdout.indexOf("{")));
    expect(found.unasked).toEqual(["execute_input", "execute_result", "status"]);
    expect(found).toMatchObject({
      subscribed: "ok",
      listed: [
        ["mine.*", "jupyter"],
        ["kernel.*", "jupyter"],
      ],
      mine: { data: { n: 2, list: [1, 2] }, language: "lua", missed: 0, whose: true },
      published: { status: "ok", outcome: "accepted" },
      heard: "1\n1\t1\n",
      unsubscribed: [true, false],
      unknown: { status: "error" },
      after: [],
    });
    const types = found.events.map(([type]: [string]) => type);
    expect(types).toContain("execute_request");
    expect(types).toContain("status");
    expect(found.no_pattern).toContain('"pattern" is required');
  },
);
