import { join } from "node:path";
import { EXECUTABLE, type Finished, Sandbox } from "../../support/cli.ts";

export const APART = ["unshare", "-rn"];
export const canBeApart = Bun.spawnSync([...APART, "true"], { stderr: "ignore" }).success;

/** Runs the executable in a network namespace without interfaces. */
export async function runApart(
  box: Sandbox,
  args: readonly string[],
): Promise<Omit<Finished, "stdoutBytes">> {
  const command = [...APART, EXECUTABLE, ...args];
  const proc = Bun.spawn(command, {
    cwd: box.cwd,
    env: box.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([proc.stdout.text(), proc.stderr.text(), proc.exited]);
  return { code, stdout, stderr };
}

/** A provider that answers from a script and is paid for: $1000 and $2000 a million tokens. */
export const PAID = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[providers.ci.prices."*"]
input = 1000
output = 2000
[[providers.ci.responses]]
text = "one two three"
`;

/** A sandbox whose configuration is this; it is named on the command line, so it is trusted. */
export class CallsSandbox extends Sandbox {
  readonly config: string;

  constructor(toml = PAID) {
    super();
    this.config = this.write("calls.toml", toml);
  }

  /** Runs `script.lua` with this text. */
  script(source: string, ...options: string[]): Promise<Finished> {
    this.write("script.lua", source);
    return this.run(["--config", this.config, "run", "script.lua", ...options]);
  }

  file(name: string): string {
    return join(this.cwd, name);
  }
}
