/** llama.cpp's sources of the release: for peers to measure against, and for its vocabularies and expected values in tests. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { filesOfBundle } from "./git-bundle.ts";
import release from "./release.json";

/** The package that carries the sources as a git bundle; the digest is the one npm's registry states. */
const PACKAGE = {
  name: `node-llama-cpp@${release.package}`,
  tarball: `node-llama-cpp-${release.package}.tgz`,
  integrity: "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==",
  bundle: "package/llama/gitRelease.bundle",
};

const directory = join(import.meta.dir, "..", "build", "peer");

/**
 * The directory of the source tree, fetched and unpacked at the first call (35 MB, some seconds).
 * @throws Error with what is missing: npm, tar, or the network
 */
export function llamaSources(): string {
  const tree = join(directory, `llama.cpp-${release.llamaCpp}`);
  if (existsSync(tree)) return tree;
  const aside = `${tree}.${process.pid}`;
  try {
    mkdirSync(aside, { recursive: true });
    unpack(fetchBundle(aside), join(aside, "tree"));
    renameSync(join(aside, "tree"), tree);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return tree;
}

function fetchBundle(into: string): Buffer {
  run(["npm", "pack", "--silent", "--pack-destination", into, PACKAGE.name]);
  const tarball = join(into, PACKAGE.tarball);
  const digest = new Bun.CryptoHasher("sha512").update(readFileSync(tarball)).digest("base64");
  if (digest !== PACKAGE.integrity)
    throw new Error(`Cannot use ${PACKAGE.name}: its content is not what was published: sha512 ${digest}`);
  run(["tar", "-xzf", tarball, "-C", into, PACKAGE.bundle]);
  return readFileSync(join(into, PACKAGE.bundle));
}

function unpack(bundle: Buffer, tree: string): void {
  for (const { path, content, isExecutable, isLink } of filesOfBundle(bundle)) {
    const target = join(tree, path);
    mkdirSync(dirname(target), { recursive: true });
    if (isLink) symlinkSync(content.toString(), target);
    else writeFileSync(target, content);
    if (isExecutable) chmodSync(target, 0o755);
  }
}

function run(command: string[]): void {
  if (Bun.which(command[0]!) === null)
    throw new Error(`Cannot fetch llama.cpp's sources: ${command[0]} is not installed`);
  const { exitCode, stderr } = Bun.spawnSync(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0)
    throw new Error(`Cannot fetch llama.cpp's sources: ${command.join(" ")}: ${stderr.toString().trim()}`);
}
