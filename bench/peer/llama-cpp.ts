/**
 * llama.cpp's own programs: compiled from the release's sources, linked to the very libraries that the executable
 * carries, so that both sides differ in nothing but who calls them.
 */
import { existsSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { buildNative } from "../../native/build.ts";
import release from "../../native/release.json";
import { llamaSources } from "../../native/sources.ts";
import { PEER_DIR, step } from "../peers.ts";
import { Unavailable } from "../row.ts";

export type LlamaProgram = "llama-bench" | "llama-batched-bench" | "llama-embedding" | "llama-server";

const TOOLS = ["cmake", "g++", "npm", "tar"];

/** The path of a program, built at the first call: seconds, for the server some minutes. */
export async function llamaProgram(name: LlamaProgram): Promise<string | Unavailable> {
  const missing = TOOLS.filter((tool) => Bun.which(tool) === null);
  if (missing.length > 0) return new Unavailable(`${name} needs ${missing.join(", ")} to be built`);
  const { directory: libraries, files } = await buildNative(`${process.platform}-${process.arch}`);
  const build = join(PEER_DIR, `llama-programs-${release.package}`);
  const program = join(build, "bin", name);
  if (existsSync(program)) return program;
  await mkdir(join(build, "bin"), { recursive: true });
  // It looks for the processor-specific libraries beside itself.
  for (const file of files) {
    const link = join(build, "bin", file.name);
    if (!existsSync(link)) await symlink(join(libraries, file.name), link);
  }
  const places = [`-DLLAMA_SOURCE=${llamaSources()}`, `-DLLAMA_LIBRARIES=${libraries}`];
  await step(["cmake", "-S", import.meta.dir, "-B", build, ...places]);
  await step(["cmake", "--build", build, "--target", name, "-j", String(availableParallelism())]);
  return program;
}

/** Runs a program to its end and returns what it printed. @throws Error with what it wrote to standard error */
export async function outputOf(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${err.trim()}`);
  return out;
}
