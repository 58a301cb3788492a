/** `context_shift` of an agent, by the built executable. */
import { expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { generateModel } from "../../support/gguf-models.ts";

test("an agent's answer goes on beyond the context where it says so, and ends there where it does not", async () => {
  using box = new Sandbox();
  const path = generateModel(box.cwd, "llama-f32"); // of 512 tokens
  const imported = await box.run(["model", "import", path, "--name", "noise:x"]);
  expect([imported.code, imported.stderr]).toEqual([0, ""]);
  const { stdout, stderr, code } = await box.lua(`
    local function show(result)
      local usage = result.metadata.usage or result.usage
      print(result.metadata.finish_reason, usage.prompt_tokens + usage.completion_tokens > 600)
    end
    local plain = Agent.builder():name("plain"):model("local/noise:x"):temperature(0)
    show(plain:build():execute("la mu si"))
    local long = Agent.create{name = "long", model = "local/noise:x", temperature = 0, max_tokens = 700, context_shift = true}
    show(long:execute("la mu si"))
    print(long:get_config().context_shift)
    local other = Agent.create{name = "other", model = "local/noise:x", max_tokens = 700}
    print(select(2, pcall(other.execute, other, "la mu si")))
  `);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const [plain, long, setting, refusal] = stdout.split("\n");
  expect(plain).toBe("length\tfalse");
  expect(long).toBe("length\ttrue");
  expect(setting).toBe("true");
  expect(refusal).toContain("over the context of 512 tokens");
});
