import { join } from "node:path";
import { LLMSPELL, median, run, Scratch } from "./measure.ts";
import { installAiSdk } from "./peer/ai-sdk.ts";
import { type Figure, type Row, row, Unavailable } from "./row.ts";

const ROUNDS = 5;
const WORDS = 2000;

/** A model that answers at once: what is measured is the agent around it. */
const CONFIG = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
match = "long"
text = "${"word ".repeat(WORDS)}"
[[providers.ci.responses]]
after_tool = "*"
text = "Two."
[[providers.ci.responses]]
match = "reckon"
tool_calls = [{ name = "calculator", arguments = { operation = "evaluate", input = "1+1" } }]
[[providers.ci.responses]]
text = "Hello."
`;

/** Agents without their model's time, from a script, beside the AI SDK's loop in Bun. */
export async function agents(): Promise<Row[]> {
  using scratch = new Scratch();
  const config = join(scratch.path, "llm.toml");
  await Bun.write(config, CONFIG);
  const script = join(import.meta.dir, "lua", "agents.lua");
  const peer = await installAiSdk();
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (kind: string) => printed([LLMSPELL, "-c", config, "run", script, "--", "--kind", kind]);
  const theirs = (kind: string, directory: string) =>
    printed([process.execPath, join(import.meta.dir, "peer", "ai-sdk.mjs"), directory, kind, String(WORDS)]);
  const measured = async (kind: string): Promise<{ ours: number; peer: Figure }> => {
    const samples: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
    for (let i = 0; i < ROUNDS; i++) {
      samples.ours.push(await ours(kind));
      if (!(peer instanceof Unavailable)) samples.peer.push(await theirs(kind, peer));
    }
    return { ours: median(samples.ours), peer: peer instanceof Unavailable ? peer : median(samples.peer) };
  };
  const beside = async (name: string, kind: string, mostUs: number): Promise<Row> => {
    const { ours, peer } = await measured(kind);
    return row({
      name: `agents: ${name}`,
      unit: "µs",
      ours,
      peer: { name: "AI SDK in Bun, no script between", figure: peer },
      target: { of: "ours", at: "most", value: mostUs },
    });
  };
  return [
    await beside("create and destroy, from Lua", "create", 500),
    await beside("turn without the model's time", "turn", 500),
    await beside("turn with one tool call", "turn_tool", 1000),
    await beside("streamed token, to a function of the script", "stream", 60),
  ];
}
