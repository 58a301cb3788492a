/** Files that sessions store. */
import type { SessionDependencies } from "./create.ts";

/** Under the rules that hold for tools which read files. */
export async function readSandboxed(
  { config, env, cwd }: SessionDependencies,
  path: string,
  mostBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { createCapabilities } = await import("../security/create.ts");
  const { limitsOf, ResourceBudget } = await import("../security/limits.ts");
  const budget = new ResourceBudget(limitsOf("restricted"));
  const can = createCapabilities({ config, env, workingDirectory: cwd, needs: ["files"], budget, signal });
  const most = Math.min(mostBytes, config.current.tools.file_operations.max_file_size);
  return Bun.concatArrayBuffers(await Array.fromAsync(can.files.stream(path, most)), Infinity, true);
}
