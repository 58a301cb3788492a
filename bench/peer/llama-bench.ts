/**
 * llama.cpp's own llama-bench: compiled from the release's sources, linked to the very libraries that the executable
 * carries, so that both sides differ in nothing but who calls them.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { buildNative } from "../../native/build.ts";
import release from "../../native/release.json";
import { PEER_DIR, step } from "../peers.ts";
import { Unavailable } from "../row.ts";

/** The package that carries llama.cpp's sources as a git bundle; the digest is the one npm's registry states. */
const SOURCES = {
  package: `node-llama-cpp@${release.package}`,
  file: `node-llama-cpp-${release.package}.tgz`,
  integrity: "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==",
};

const TOOLS = ["g++", "git", "npm", "tar"];

/** The path of llama-bench, built at the first call. */
export async function llamaBench(): Promise<string | Unavailable> {
  const missing = TOOLS.filter((tool) => Bun.which(tool) === null);
  if (missing.length > 0) return new Unavailable(`llama-bench needs ${missing.join(", ")} to be built`);
  const { directory: libraries, hash, files } = await buildNative(`${process.platform}-${process.arch}`);
  const built = join(PEER_DIR, `llama-bench-${hash.slice(0, 16)}`);
  if (existsSync(built)) return join(built, "llama-bench");
  const source = await sources();
  const partial = `${built}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  // It looks for the processor-specific libraries beside itself.
  for (const { name } of files) await symlink(join(libraries, name), join(partial, name));
  const linked = files
    .map((file) => file.name)
    .filter((name) => /^lib(llama|ggml)/.test(name) && !name.includes("-cpu-"));
  const include = (...parts: string[]) => `-I${join(source, ...parts)}`;
  await step([
    "g++",
    "-O2",
    "-DNDEBUG",
    "-std=c++17",
    ...[include("include"), include("common"), include("ggml", "include"), include("vendor")],
    join(source, "tools", "llama-bench", "llama-bench.cpp"),
    join(source, "tools", "llama-bench", "main.cpp"),
    ...["-o", join(partial, "llama-bench")],
    ...[`-L${partial}`, ...linked.map((name) => `-l:${name}`), "-Wl,-rpath,$ORIGIN", "-lpthread"],
  ]);
  await rename(partial, built);
  return join(built, "llama-bench");
}

/** llama.cpp's source tree of the release. */
async function sources(): Promise<string> {
  const tree = join(PEER_DIR, `llama.cpp-${release.llamaCpp}`);
  if (existsSync(tree)) return tree;
  const partial = `${tree}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await step(["npm", "pack", "--silent", SOURCES.package]);
  const tarball = join(PEER_DIR, SOURCES.file);
  const digest = new Bun.CryptoHasher("sha512").update(await Bun.file(tarball).bytes()).digest("base64");
  if (digest !== SOURCES.integrity) throw new Error(`${SOURCES.file} is not what it was: sha512 ${digest}`);
  await step(["tar", "-xzf", tarball, "package/llama/gitRelease.bundle"]);
  await step(["git", "init", "-q"], partial);
  await step(
    ["git", "fetch", "-q", join(PEER_DIR, "package", "llama", "gitRelease.bundle"), "HEAD"],
    partial,
  );
  await step(["git", "checkout", "-q", "FETCH_HEAD"], partial);
  await rm(join(PEER_DIR, "package"), { recursive: true });
  await rm(tarball);
  await rename(partial, tree);
  return tree;
}

export interface LlamaBenchRun {
  model: string;
  threads: number;
  promptTokens: number;
  generatedTokens: number;
}

/** Tokens a second of one repetition of each test, after llama-bench's own warm-up. */
export async function runLlamaBench(
  path: string,
  options: LlamaBenchRun,
): Promise<{ prompt: number; generation: number }> {
  const child = Bun.spawn(
    [
      path,
      ...["-m", options.model, "-t", String(options.threads), "-r", "1", "-o", "json"],
      ...["-p", String(options.promptTokens), "-n", String(options.generatedTokens)],
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`llama-bench ended with ${code}: ${err.trim()}`);
  const tests = JSON.parse(out) as { n_prompt: number; n_gen: number; avg_ts: number }[];
  const speed = (prompt: number, generated: number) => {
    const test = tests.find((t) => t.n_prompt === prompt && t.n_gen === generated);
    if (test === undefined)
      throw new Error(`llama-bench reported no test of ${prompt} + ${generated} tokens`);
    return test.avg_ts;
  };
  return { prompt: speed(options.promptTokens, 0), generation: speed(0, options.generatedTokens) };
}
