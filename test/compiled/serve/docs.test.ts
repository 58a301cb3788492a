/** docs/serve.md does what it says. */
import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { scenarios } from "../../conformance/openai/scenarios.ts";
import { Sandbox } from "../../support/cli.ts";
import { serve } from "../../support/serve.ts";

const page = await Bun.file("docs/serve.md").text();
const blockWith = (text: string) =>
  [...page.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)]
    .map((match) => match[1]!)
    .find((block) => block.includes(text))!;

describe("docs/serve.md", () => {
  test("its examples work as shown", async () => {
    using box = new Sandbox();
    await using server = await serve(box);
    const here = (block: string) => block.replaceAll("http://127.0.0.1:8080/v1", server.url);
    const run = async (command: string[]) => {
      const proc = Bun.spawn(command, { cwd: box.cwd, stdout: "pipe", stderr: "ignore" });
      return new Response(proc.stdout).text();
    };
    const answer = JSON.parse(await run(["sh", "-c", here(blockWith("curl http"))]));
    expect(answer.object).toBe("chat.completion");
    expect(answer.choices[0].message.content).toBe("Hello! How can I help you?");

    const script = here(blockWith("new OpenAI")).replace(
      '"openai"',
      JSON.stringify(resolve("node_modules/openai/index.mjs")),
    );
    expect(await run([process.execPath, box.write("example.mjs", script)])).toBe(
      "Hello! How can I help you?",
    );
  });

  test("it lists the scenarios that do not hold for llama-server, and no others", () => {
    const table = page.slice(page.indexOf("| scenario | llama-server |")).split("\n").slice(2);
    const listed = table.filter((line) => line.startsWith("|")).map((line) => line.split("|")[1]!.trim());
    expect(listed).toEqual(scenarios.flatMap(({ name, peer }) => (peer === undefined ? [] : [name])));
  });

  test("every option it names exists", async () => {
    using box = new Sandbox();
    const { stdout } = await box.run(["serve", "--help"]);
    const named = new Set([...page.matchAll(/(--[a-z][a-z-]+)/g)].map((match) => match[1]!));
    for (const flag of ["--full", "--trace", "--output"]) named.delete(flag); // of the soak; of every command
    for (const flag of named) expect(stdout).toContain(flag);
    expect(named.size).toBeGreaterThan(5);
  });
});
