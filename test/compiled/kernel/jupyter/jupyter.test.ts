import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EXECUTABLE, Sandbox } from "../../../support/cli.ts";
import { debianPython } from "../../../support/python.ts";

const python = debianPython("jupyter_client", "nbclient");

describe.skipIf(python === undefined)("Jupyter's own clients", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = new Sandbox();
    const installed = await sandbox.run(["kernel", "install-kernelspec"]);
    expect(installed.stderr).toBe("");
  });
  afterAll(() => sandbox[Symbol.dispose]());

  async function drive(script: string, ...args: string[]): Promise<unknown> {
    const env = { ...sandbox.env, JUPYTER_PLATFORM_DIRS: "0", PYTHONWARNINGS: "ignore" };
    const driver = Bun.spawn([python!, `${import.meta.dir}/${script}`, ...args], {
      cwd: sandbox.cwd,
      env,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(driver.stdout).text(),
      new Response(driver.stderr).text(),
    ]);
    if ((await driver.exited) !== 0) throw new Error(stderr);
    return JSON.parse(stdout.slice(stdout.indexOf("{")));
  }

  test("jupyter_client drives the installed kernel", async () => {
    // biome-ignore lint/suspicious/noExplicitAny: a document of many shapes
    const found = (await drive("drive.py")) as Record<string, any>;
    const published = (name: string, type: string) =>
      found[name].seen
        .filter(([seen]: [string]) => seen === type)
        .map(([, content]: [string, unknown]) => content);
    const result = (name: string) => published(name, "execute_result")[0]?.data;

    expect(found.info).toMatchObject({
      status: "ok",
      protocol_version: "5.3",
      implementation: "llmspell",
      language_info: { name: "lua", version: "5.4", file_extension: ".lua" },
    });
    expect(found.streams.seen.map(([type]: [string]) => type)).toEqual([
      "status",
      "execute_input",
      "stream",
      "stream",
      "execute_result",
      "status",
    ]);
    expect(published("streams", "status")).toEqual([
      { execution_state: "busy" },
      { execution_state: "idle" },
    ]);
    expect(published("streams", "stream")).toEqual([
      { name: "stdout", text: "out\t1\n" },
      { name: "stderr", text: "err\n" },
    ]);
    expect(result("streams")).toEqual({ "text/plain": "42" });
    expect(found.streams.reply).toMatchObject({ status: "ok", execution_count: 1 });
    expect(result("expression")).toEqual({ "text/plain": "41" });
    expect(result("table")["application/json"]).toEqual([{ n: 1, m: "<b>" }, { n: 2 }]);
    expect(result("table")["text/html"]).toContain("<td>&lt;b&gt;</td>");
    expect(result("markdown")).toEqual({
      "text/plain": "# Title",
      "text/markdown": "# Title",
      "image/png": Buffer.from("\x89PNG\r\n\x1a\n", "latin1").toString("base64"),
    });
    expect(found.expressions.reply.user_expressions).toMatchObject({
      good: { status: "ok", data: { "text/plain": "82" } },
      bad: { status: "error", ename: "ExecutionError" },
    });
    expect(found.error.reply).toMatchObject({ status: "error", ename: "ExecutionError" });
    expect(found.error.reply.evalue).toContain("broken");
    expect(found.error.reply.traceback.join("\n")).toMatch(/cell:1: in .*f.*\n.*cell:2: in main chunk/);
    expect(published("error", "error")).toEqual([
      expect.objectContaining({ evalue: found.error.reply.evalue, traceback: found.error.reply.traceback }),
    ]);
    expect(published("silent", "execute_input")).toEqual([]);
    expect(published("silent", "execute_result")).toEqual([]);
    expect(published("utf8", "stream")).toEqual([{ name: "stdout", text: "Grüße 🙂\n" }]);
    expect(found.utf8.reply.execution_count).toBe(found.error.reply.execution_count + 1);
    expect(found.aborted).toEqual(["error", "aborted", "aborted"]);
    expect(found.not_aborted).toEqual(["error", "ok"]);

    expect(found.complete).toMatchObject({ matches: ["execute", "exists"], cursor_start: 7, cursor_end: 9 });
    expect(found.complete_live.matches).toEqual(["kept"]);
    expect(found.complete_field.matches).toEqual(["format"]);
    expect(found.inspect.data["text/markdown"]).toContain("Tool.execute(name, params?)");
    expect(found.inspect_live.data["text/plain"]).toBe("`kept`: 41");
    expect(found.inspect_nothing).toMatchObject({ status: "ok", found: false });
    expect(found.is_complete).toEqual([
      { status: "complete" },
      { status: "incomplete", indent: "  " },
      { status: "invalid" },
    ]);
    expect(found.comms).toMatchObject({ status: "ok", comms: {} });
    expect(result("input")).toEqual({ "text/plain": '"Ada"' });
    expect(result("no_input")).toEqual({ "text/plain": "true" });
    expect(found.unknown).toEqual([
      "make_coffee_reply",
      expect.objectContaining({ status: "error", ename: "UnknownMessage" }),
    ]);
    expect(found.tool).toMatchObject({ status: "ok", tool: "calculator" });
    const value = { list: [1, null, { $bytes: "/w==" }] };
    expect(found.state).toMatchObject([
      { status: "ok", key: "n" },
      { status: "ok", found: true, value },
      { status: "ok", keys: ["n"], count: 1 },
      { status: "ok", state: { "user:ada:n": value } },
      { status: "error", error: expect.stringContaining("Unknown state command: explode") },
    ]);
    expect(result("state_in_lua")["text/plain"]).toBe("true");
    expect(found.debug).toMatchObject({ type: "response", request_seq: 7, success: false });

    expect(found.while_busy).toEqual(["Tool"]);
    expect(found.heart).toBe(true);
    expect(found.interrupted).toEqual({ status: "ok" });
    expect(found.after_interrupt).toMatchObject({ status: "error", ename: "Interrupted" });
    expect(found.distrust).toBe("[1,true]");

    expect(result("restarted")).toMatchObject({ "text/plain": "[true]" });
    expect(found.restarted.reply.execution_count).toBe(1);
    expect(found.history.tail.at(-1)).toEqual([2, 1, ["{kept == nil}", "[true]"]]);
    expect(found.history.search).toEqual([[1, 7, "print('Grüße 🙂')"]]);
    expect(found.history.range.map(([, line, input]: unknown[]) => [line, input])).toEqual([
      [2, "kept"],
      [3, "{{n = 1, m = '<b>'}, {n = 2}}"],
    ]);
    expect(found.ended).toBe(true);
  });

  test("nbclient runs a notebook from top to bottom and keeps its outputs", async () => {
    const cell = (source: string, id: string) => ({
      cell_type: "code",
      id,
      source,
      metadata: {},
      outputs: [],
      execution_count: null,
    });
    const path = sandbox.write(
      "notebook.ipynb",
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: { kernelspec: { name: "llmspell", display_name: "LLMSpell", language: "lua" } },
        cells: [
          cell("total = 0\nfor i = 1, 10 do total = total + i end", "a"),
          cell("print('total', total)", "b"),
          cell("{total, total * 2}", "c"),
          cell("Tool.execute('calculator', {expression = '2+3'}).text", "d"),
        ],
      }),
    );
    const { cells } = (await drive("notebook.py", path)) as {
      cells: { execution_count: number; outputs: Record<string, unknown>[] }[];
    };
    expect(cells.map(({ execution_count }) => execution_count)).toEqual([1, 2, 3, 4]);
    expect(cells[0]!.outputs).toEqual([]);
    expect(cells[1]!.outputs).toEqual([{ output_type: "stream", name: "stdout", text: ["total\t55\n"] }]);
    expect(cells[2]!.outputs).toMatchObject([
      { output_type: "execute_result", data: { "text/plain": ["[55,110]"], "application/json": [55, 110] } },
    ]);
    expect(cells[3]!.outputs).toMatchObject([{ data: { "text/plain": [expect.stringContaining("5")] } }]);
  });

  test("a kernelspec names this executable and the flags it was installed with", async () => {
    const prefix = `${sandbox.root}/environment`;
    const done = await sandbox.run([
      "--output",
      "json",
      "kernel",
      "install-kernelspec",
      "--prefix",
      prefix,
      "--profile",
      "minimal",
    ]);
    const spec = await Bun.file(`${prefix}/share/jupyter/kernels/llmspell/kernel.json`).json();
    expect(JSON.parse(done.stdout)).toEqual({
      status: "installed",
      path: `${prefix}/share/jupyter/kernels/llmspell`,
      argv: spec.argv,
    });
    expect(spec).toMatchObject({ language: "lua", interrupt_mode: "message" });
    expect(spec.argv.slice(0, 3)).toEqual([EXECUTABLE, "--profile", "minimal"]);
    expect(spec.argv).toContain("{connection_file}");
  });
});
