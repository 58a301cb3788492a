/** Scripts that register hooks, and what these were told. */
import { Sandbox } from "../../support/cli.ts";

const PROVIDER = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
match = "fail"
error = "the model is ill"
[[providers.ci.responses]]
match = "reckon"
tool_calls = [{ name = "calculator", arguments = { operation = "evaluate", input = "6*7" } }]
[[providers.ci.responses]]
after_tool = "calculator"
text = "It is 42."
[[providers.ci.responses]]
text = "<{{prompt}}>"
`;

export interface Fired {
  point: string;
  component: { type: string; name: string };
  language: string;
  correlation_id: string;
  metadata: Record<string, string>;
  data: Record<string, unknown>;
}

/** Registers a hook at each of the points, runs the script, and gives what was told, in order. */
export async function fired(points: string[], script: string, config = PROVIDER): Promise<Fired[]> {
  using box = new Sandbox();
  box.write("config.toml", config);
  const names = points.map((point) => JSON.stringify(point)).join(", ");
  const { stdout, stderr, code } = await box.lua(
    `for _, point in ipairs{${names}} do
       Hook.register(point, function(ctx)
         print("FIRED " .. JSON.stringify{point = ctx.point, component = ctx.component_id, language = ctx.language,
           correlation_id = ctx.correlation_id, metadata = ctx.metadata, data = ctx.data})
       end)
     end
     ${script}`,
    { args: ["-c", "config.toml"] },
  );
  if (code !== 0 && !script.includes("error(")) throw new Error(`exit code ${code}: ${stderr}`);
  return stdout.split("\n").flatMap((line) => (line.startsWith("FIRED ") ? [JSON.parse(line.slice(6))] : []));
}

export const AGENT = `local agent = Agent.create{name = "ada", model = "ci/scripted", allowed_tools = {"calculator"}}`;
export const ADA = { type: "Agent", name: "ada" };
