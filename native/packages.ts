/** Finds the npm package with a target's libraries: installed, or fetched by npm and checked against the lockfile. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

export interface NpmPackage {
  name: string;
  version: string;
  /** Of its tarball, as the registry gives it; absent: what bun.lock says. */
  integrity?: string;
}

/** The unpacked package's directory. */
export async function librariesOf(wanted: NpmPackage): Promise<string> {
  const { name, version } = wanted;
  const installed = join(root, "node_modules", name);
  const manifest = Bun.file(join(installed, "package.json"));
  if ((await manifest.exists()) && (await manifest.json()).version === version) return installed;

  const unpacked = join(root, "build/packages", `${name.replace("/", "-").replace("@", "")}-${version}`);
  if (existsSync(unpacked)) return unpacked;
  const tarball = await fetchTarball(wanted);
  const partial = `${unpacked}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const tar = Bun.spawnSync(["tar", "-xzf", tarball, "-C", partial, "--strip-components=1"]);
  if (tar.exitCode !== 0) throw new Error(`Cannot unpack ${tarball}: ${tar.stderr.toString().trim()}`);
  await rename(partial, unpacked);
  return unpacked;
}

async function fetchTarball({ name, version, integrity }: NpmPackage): Promise<string> {
  if (Bun.which("npm") === null)
    throw new Error(`Cannot fetch ${name}: npm is not installed, and bun install did not bring the package`);
  const expected = integrity ?? (await lockedIntegrity(name, version));
  const into = join(root, "build/packages");
  await mkdir(into, { recursive: true });
  const pack = Bun.spawn(["npm", "pack", "--json", "--pack-destination", into, `${name}@${version}`], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [answer, problem, exitCode] = await Promise.all([
    pack.stdout.text(),
    pack.stderr.text(),
    pack.exited,
  ]);
  if (exitCode !== 0) throw new Error(`Cannot fetch ${name}@${version}: ${problem.trim()}`);
  const tarball = join(into, (JSON.parse(answer) as { filename: string }[])[0]!.filename);
  const digest = new Bun.CryptoHasher("sha512").update(await Bun.file(tarball).bytes()).digest("base64");
  if (`sha512-${digest}` !== expected) {
    await rm(tarball);
    throw new Error(
      `Cannot use ${name}@${version}: its content is not what ${integrity === undefined ? "bun.lock names" : "this project was tried with"}`,
    );
  }
  return tarball;
}

async function lockedIntegrity(name: string, version: string): Promise<string> {
  const { packages } = Bun.JSONC.parse(await Bun.file(join(root, "bun.lock")).text()) as {
    packages: Record<string, unknown[]>;
  };
  const entry = packages[name];
  if (entry?.[0] !== `${name}@${version}`)
    throw new Error(`Cannot fetch ${name}: bun.lock does not hold version ${version}`);
  return String(entry.at(-1));
}
