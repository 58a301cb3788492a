import { describe, expect, test } from "bun:test";
import { Sandbox } from "../support/cli.ts";

/** What a shell offers for a line, asked from the real shell. */
async function offers(shell: "bash" | "zsh" | "fish", words: string[]): Promise<string[] | undefined> {
  if (Bun.which(shell) === null) return undefined;
  using box = new Sandbox();
  const script = box.write(`llmspell.${shell}`, (await box.run(["completion", shell])).stdout);
  const programs = {
    bash: `source ${script}; COMP_WORDS=(${words.map((w) => `'${w}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _llmspell; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: `compdef() { :; }; _describe() { print -l -- "\${list[@]%%:*}"; }; _files() { :; }; compadd() { shift; print -l -- "$@"; }; source ${script}; words=(${words.map((w) => `'${w}'`).join(" ")}); CURRENT=${words.length}; _llmspell`,
    fish: `source ${script}; complete -C '${words.join(" ")}' | string split -f1 \\t`,
  };
  const proc = Bun.spawn([shell, "-c", programs[shell]], {
    env: { ...box.env },
    cwd: box.cwd,
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(proc.stdout).text(), new Response(proc.stderr).text()]);
  expect(err).toBe("");
  return out.split("\n").filter((line) => line !== "");
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  describe(`completion in ${shell}`, () => {
    test("offers commands, subcommands, flags and their values", async () => {
      const top = await offers(shell, ["llmspell", ""]);
      if (top === undefined) {
        console.warn(`${shell} is not installed: its completion script was not tried`);
        return;
      }
      expect(top).toEqual(expect.arrayContaining(["run", "model", "config"]));
      expect(await offers(shell, ["llmspell", "model", ""])).toEqual(
        expect.arrayContaining(["list", "import", "remove"]),
      );
      expect(await offers(shell, ["llmspell", "exec", "--str"])).toContain("--stream");
      expect(await offers(shell, ["llmspell", "exec", "--output", ""])).toEqual(
        expect.arrayContaining(["json", "pretty"]),
      );
      expect(await offers(shell, ["llmspell", "completion", ""])).toEqual(
        expect.arrayContaining(["bash", "zsh", "fish"]),
      );
    });
  });
}
