import { accessSync, constants, existsSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { dataDirectory, homeDirectory } from "../core/paths.ts";

/** A directory that may hold extracted libraries. */
export interface Place {
  directory: string;
  /** Removed again once the libraries are loaded, or when the process ends. */
  temporary: boolean;
}

type Environment = Record<string, string | undefined>;

/** Where libraries may be extracted to, best first. */
export function placesFor(env: Environment = process.env, platform = process.platform): Place[] {
  const home = homeDirectory(env);
  const cache =
    platform === "win32"
      ? env.LOCALAPPDATA || join(home, "AppData", "Local")
      : env.XDG_CACHE_HOME || join(home, ...(platform === "darwin" ? ["Library", "Caches"] : [".cache"]));
  const temporary = platform === "linux" ? ["/dev/shm", env.XDG_RUNTIME_DIR, tmpdir()] : [tmpdir()];
  return [
    { directory: join(cache, "llmspell", "native"), temporary: false },
    { directory: join(dataDirectory(env), "cache", "native"), temporary: false },
    ...temporary.flatMap((directory) => (directory ? [{ directory, temporary: true }] : [])),
  ];
}

/** Why libraries cannot be put there; undefined where they can. Changes nothing. */
export function placeProblem({ directory }: Place): string | undefined {
  const existing = nearestExisting(directory);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return isNoexec(existing) ? "mounted noexec" : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function nearestExisting(directory: string): string {
  return existsSync(directory) || dirname(directory) === directory
    ? directory
    : nearestExisting(dirname(directory));
}

/** True where Linux refuses to map code from files of this directory (`noexec`). False where it cannot be told. */
export function isNoexec(directory: string, mountinfo = readMounts()): boolean {
  const path = realpathSync(directory);
  let best = "";
  let noexec = false;
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    const mount = fields[4]?.replace(/\\([0-7]{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (mount === undefined || mount.length < best.length) continue;
    if (path !== mount && !path.startsWith(mount === "/" ? "/" : `${mount}/`)) continue;
    best = mount;
    noexec = fields[5]?.split(",").includes("noexec") ?? false;
  }
  return noexec;
}

/** Linux's list of mounts (proc_pid_mountinfo(5)); elsewhere empty. */
function readMounts(): string {
  return process.platform === "linux" ? readFileSync("/proc/self/mountinfo", "utf8") : "";
}
