/** Debian's PostgreSQL in a temporary directory, on a loopback port: what `initdb` and `postgres` make of it. */
import { chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The server refuses to run as root. */
const NOBODY = 65534;
const INSTALLED = "/usr/lib/postgresql";
const PATIENCE_MS = 60_000;

export class PostgresServer implements AsyncDisposable {
  private process: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;

  private constructor(
    private readonly directory: string,
    readonly port: number,
  ) {}

  static async start(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), "llmspell-postgres-"));
    const server = new PostgresServer(directory, await freePort());
    const password = join(directory, "password");
    writeFileSync(password, "se/cret\n");
    for (const path of [directory, password]) if (isRoot()) chownSync(path, NOBODY, NOBODY);
    const made = Bun.spawnSync(
      [
        ...unprivileged(),
        program("initdb"),
        "-D",
        join(directory, "data"),
        "-U",
        "spell",
        "-E",
        "UTF8",
      ].concat([...["--locale=C", "-A", "scram-sha-256", `--pwfile=${password}`, "--no-sync"]]),
      { cwd: directory, stdout: "ignore", stderr: "pipe" },
    );
    if (made.exitCode !== 0) throw new Error(`initdb failed: ${made.stderr}`);
    await server.run();
    return server;
  }

  /** With user and password. */
  get url(): string {
    return this.urlFor("spell", "se/cret", "postgres");
  }

  urlFor(user: string, password: string, database: string): string {
    return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Starts the server again after `stop`. */
  async run(): Promise<void> {
    const { directory, port } = this;
    this.process = Bun.spawn(
      [
        ...unprivileged(),
        program("postgres"),
        ...["-D", join(directory, "data"), "-p", String(port), "-k", directory],
        ...["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"],
      ],
      {
        cwd: directory,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
        env: { PATH: process.env.PATH, TZ: "UTC" },
      },
    );
    const guard = setTimeout(() => this.process?.kill("SIGKILL"), PATIENCE_MS);
    let said = "";
    for await (const chunk of this.process.stderr.values({ preventCancel: true })) {
      said += new TextDecoder().decode(chunk);
      if (said.includes("ready to accept connections")) break;
    }
    clearTimeout(guard);
    if (!said.includes("ready to accept connections")) throw new Error(`PostgreSQL did not start: ${said}`);
  }

  /** Ends the server as an administrator does who does not wait for clients. */
  async stop(): Promise<void> {
    this.process?.kill("SIGINT");
    await this.process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const isRoot = (): boolean => process.getuid?.() === 0;

const unprivileged = (): string[] =>
  isRoot() ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];

function program(name: string): string {
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  return join(INSTALLED, versions[0]!, "bin", name);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
