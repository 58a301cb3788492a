/** The executable with a configuration that names loopback hubs, and all of its files where they can be looked at. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, type RunOptions, Sandbox } from "../cli.ts";

export interface HubAddresses {
  hub?: string;
  registry?: string;
  /** Entries of `tools.network.allowed_domains`. Without, a redirect to this machine is refused. */
  allowed?: readonly string[];
  idleSeconds?: number;
  maxRetries?: number;
}

export class HubBox extends Sandbox {
  readonly store = join(this.home, ".llmspell", "models", "llamacpp");

  configure({
    hub,
    registry,
    allowed = ["*", "127.0.0.1"],
    idleSeconds = 20,
    maxRetries = 3,
  }: HubAddresses): void {
    this.write(
      "my.toml",
      `
[providers.llamacpp]
provider_type = "llamacpp"
download_idle_seconds = ${idleSeconds}
${hub === undefined ? "" : `hub_url = "${hub}"`}
${registry === undefined ? "" : `registry_url = "${registry}"`}
[providers.llamacpp.retry]
max_retries = ${maxRetries}
initial_delay_ms = 20
[tools.network]
allowed_domains = ${JSON.stringify(allowed)}
`,
    );
  }

  /** A `model` command with JSON output. */
  async model(args: readonly string[], options: RunOptions = {}) {
    const done = await this.run(["-c", "my.toml", "model", ...args, "--output", "json"], options);
    return { ...done, document: parse(done) };
  }

  /** Paths below the store, without those of locks. */
  stored(): string[] {
    try {
      return readdirSync(this.store, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(this.store.length + 1))
        .filter((path) => !path.startsWith(".locks"))
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  bytes(path: string): Buffer {
    return readFileSync(join(this.store, path));
  }
}

function parse({ stdout, stderr }: Finished) {
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    throw new Error(`no JSON on stdout: ${stdout}\n${stderr}`, { cause });
  }
}
