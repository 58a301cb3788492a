import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Unavailable } from "./row.ts";

/** Where peers are built once and kept. */
export const PEER_DIR = resolve(import.meta.dir, "..", "build", "peer");

/** The path of a program of this machine. */
export function program(name: string, debianPackage = name): string | Unavailable {
  return Bun.which(name) ?? new Unavailable(`${name} is not installed (Debian package ${debianPackage})`);
}

/** Runs a build step. @throws Error with the last lines of what it wrote */
export async function step(command: readonly string[], cwd = PEER_DIR): Promise<void> {
  mkdirSync(cwd, { recursive: true });
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0)
    throw new Error(
      `${command[0]} ended with ${code}: ${(err || out).trim().split("\n").slice(-5).join("\n")}`,
    );
}

/** The smallest program that this Bun compiles: what an executable of its kind costs at least. */
export async function compiledHello(): Promise<string> {
  const outfile = join(PEER_DIR, `hello-${Bun.version}`);
  if (!existsSync(outfile)) {
    const source = join(import.meta.dir, "peer", "hello.ts");
    const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
    await step([process.execPath, "build", ...flags, source, "--outfile", outfile]);
  }
  return outfile;
}
