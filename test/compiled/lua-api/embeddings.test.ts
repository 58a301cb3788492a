/** `LocalLLM.embed` and `LocalLLM.rank` by the built executable. */
import { expect, test } from "bun:test";
import { generateBert } from "../../support/bert.ts";
import { Sandbox } from "../../support/cli.ts";

test("a script embeds texts and ranks documents with models it imported", async () => {
  using box = new Sandbox();
  for (const name of ["bert-f32", "bert-rank-f32"]) {
    const path = generateBert(box.cwd, name);
    const imported = await box.run(["model", "import", path, "--name", `${name}:test`]);
    expect(imported.stderr).toBe("");
    expect(imported.code).toBe(0);
  }
  const { stdout, stderr, code } = await box.lua(`
    local result = LocalLLM.embed("bert-f32:test", {"hello world", "good morning", "hello world"})
    print(#result.embeddings, #result.embeddings[1], result.dimensions, result.tokens)
    local length, same = 0, true
    for i, x in ipairs(result.embeddings[1]) do
      length = length + x * x
      same = same and math.abs(x - result.embeddings[3][i]) < 1e-3
    end
    print(math.abs(length - 1) < 1e-5, same)
    local ranking = LocalLLM.rank("bert-rank-f32:test", "which?", {"one", "two", "three"})
    local seen = {}
    for i, entry in ipairs(ranking) do
      seen[entry.index] = entry.text
      assert(i == 1 or entry.score <= ranking[i - 1].score)
    end
    print(table.concat(seen, " "))
    local agent = Agent.create({name = "a", model = "local/bert-f32:test"})
    print(select(2, pcall(agent.execute, agent, {text = "Hello"})))
  `);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const [sizes, checks, texts, refusal] = stdout.split("\n");
  expect(sizes).toBe("3\t64\t64\t12");
  expect(checks).toBe("true\ttrue");
  expect(texts).toBe("one two three");
  expect(refusal).toContain("Cannot generate text with the model: bert");
});
