import { access, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import release from "../../../native/release.json";

const EDGE_BYTES = 64 << 10;

/** Remembers which files this release's llama.cpp has been tried on: for each an empty file, named by a key of it. */
export class ProbeRecords {
  constructor(private readonly directory: string) {}

  async has(path: string): Promise<boolean> {
    const record = await this.recordOf(path);
    return access(record).then(
      () => true,
      () => false,
    );
  }

  async add(path: string): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await writeFile(await this.recordOf(path), "", { mode: 0o600 });
  }

  private async recordOf(path: string): Promise<string> {
    return join(this.directory, await keyOf(path));
  }
}

/** Of size, date, beginning and end: reading all of a large file would take longer than trying it. */
async function keyOf(path: string): Promise<string> {
  await using file = await open(path);
  const { size, mtimeMs } = await file.stat();
  const hash = new Bun.CryptoHasher("sha256").update(`${release.package} ${size} ${mtimeMs} `);
  const edge = new Uint8Array(EDGE_BYTES);
  for (const at of [0, Math.max(0, size - EDGE_BYTES)]) {
    const { bytesRead } = await file.read(edge, 0, EDGE_BYTES, at);
    hash.update(edge.subarray(0, bytesRead));
  }
  return hash.digest("hex");
}
