import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { EXECUTABLE, type Finished, Sandbox } from "../support/cli.ts";

const PAGES = [
  "README.md",
  "docs/getting-started.md",
  "docs/structured-output.md",
  "docs/models.md",
  "docs/agents.md",
  "docs/providers.md",
  "docs/connected.md",
  "docs/sessions.md",
  "docs/workflows.md",
  "docs/jupyter.md",
  "docs/test-provider.md",
  "docs/backup.md",
  "docs/keys.md",
];

interface Block {
  language: string;
  /** What stands after the language: a block marked `fragment` cannot run alone. */
  info: string;
  text: string;
  line: number;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*)[ ]*(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1]!,
    info: match[2]!,
    text: match[3]!,
    line: markdown.slice(0, match.index).split("\n").length,
  }));
}

/** A page's blocks are tried in order in one directory, as a reader would who types them in. */
class Reader extends Sandbox {
  private configuration: string | undefined;

  async tryOut({ language, text }: Block): Promise<void> {
    const named = /^(?:--|#) (\S+\.(?:lua|toml))$/.exec(text.split("\n")[0]!)?.[1];
    if (language === "lua") await this.script(named ?? "snippet.lua", text);
    if (language === "toml") await this.useConfiguration(named ?? "snippet.toml", text);
    if (language === "sh")
      for (const line of text.split("\n")) if (line.startsWith("llmspell ")) await this.shell(line);
  }

  /** What follows `-->` is what the script prints. */
  private async script(name: string, text: string): Promise<void> {
    this.write(name, text);
    const done = await this.run([...(this.configuration ? ["-c", this.configuration] : []), "run", name]);
    expect([done.code, done.stderr]).toEqual([0, ""]);
    const expected = [...text.matchAll(/--> (.*)$/gm)].map((match) => match[1]!);
    if (expected.length > 0) expect(done.stdout.trimEnd().split("\n")).toEqual(expected);
  }

  private async useConfiguration(name: string, text: string): Promise<void> {
    this.write(name, text);
    this.configuration = name;
    const done = await this.run(["config", "validate", "--file", name, "--output", "json"]);
    expect(JSON.parse(done.stdout)).toMatchObject({ valid: true, errors: [] });
    expect(done.stdout).not.toContain("Unknown key");
  }

  private async shell(line: string): Promise<void> {
    const gguf = /\S+\.gguf/.exec(line)?.[0];
    if (gguf !== undefined) this.write(gguf, await Bun.file("models/spell-mini/spell-mini.gguf").bytes());
    const env = { ...this.env, PATH: dirname(EXECUTABLE) + delimiter + this.env.PATH };
    const proc = Bun.spawn(["sh", "-c", line], { cwd: this.cwd, env, stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr, code] = await Promise.all([
      new Response(proc.stdout).text(),
      new Response(proc.stderr).text(),
      proc.exited,
    ]);
    const complaints = stderr.replace(/^Connection file: .*\n/, "");
    expect({ line, code, stderr: complaints } satisfies Partial<Finished> & { line: string }).toEqual({
      line,
      code: 0,
      stderr: "",
    });
    expect(stdout).not.toBe("");
  }
}

for (const page of PAGES) {
  describe(page, async () => {
    const markdown = await Bun.file(page).text();
    const blocks = blocksOf(markdown);

    test("has blocks that can be tried", () => {
      expect(blocks.filter(({ language }) => ["lua", "sh", "toml"].includes(language))).not.toEqual([]);
    });

    test("every script, configuration and command in a block works as shown, from top to bottom", async () => {
      using reader = new Reader();
      for (const block of blocks.filter(({ info }) => info !== "fragment")) {
        try {
          await reader.tryOut(block);
        } catch (cause) {
          throw new Error(`${page}:${block.line}: the block does not work as shown`, { cause });
        }
      }
    });

    test("every command in the text exists, with the options it is given", async () => {
      using box = new Sandbox();
      const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, "");
      const commands = [...prose.matchAll(/`llmspell ([^`]+)`/g)].map((match) => match[1]!);
      for (const command of commands) {
        const done = await box.run([...command.split(/\s+/), "--help"]);
        expect([command, done.code, done.stderr]).toEqual([command, 0, ""]);
      }
    });
  });
}

test("links between the pages lead somewhere", async () => {
  for (const page of [...PAGES, ...new Bun.Glob("docs/**/*.md").scanSync(".")]) {
    for (const [, target] of (await Bun.file(page).text()).matchAll(
      /\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g,
    ))
      expect([page, target, existsSync(join(dirname(page), target!))]).toEqual([page, target, true]);
  }
});
