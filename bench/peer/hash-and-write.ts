/** The least that keeping 1 MiB under its hash takes: SHA-256 and a file that is written, synchronised and renamed. µs, the median. */
import { mkdtempSync, rmSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BATCHES = 21;

const directory = mkdtempSync(join(tmpdir(), "llmspell-bench-"));
const bytes = new Uint8Array(1 << 20);
for (let i = 0; i < bytes.length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));
const times: number[] = [];
for (let batch = 0; batch < BATCHES; batch++) {
  bytes[0] = batch;
  const started = performance.now();
  const name = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  const file = await open(join(directory, "tmp"), "w");
  await file.writeFile(bytes);
  await file.sync();
  await file.close();
  await rename(join(directory, "tmp"), join(directory, name));
  times.push((performance.now() - started) * 1000);
}
times.sort((a, b) => a - b);
console.log(times[BATCHES >> 1]);
rmSync(directory, { recursive: true });
