/** A process of its own that writes numbered lines: `bun log-writer.ts PATH NAME LINES`. */
import { RotatingFile } from "../../../src/kernel/logs/rotating-file.ts";

const [path, name, lines] = process.argv.slice(2) as [string, string, string];
const limits = () => ({ maxSizeBytes: 20_000, maxFiles: 1000, compress: true });
const file = RotatingFile.open(path, limits, (error) => {
  throw error;
});
for (let i = 0; i < Number(lines); i++) {
  file.write(`${name} ${i} ${"x".repeat(40)}`);
  if (i % 100 === 0) await Bun.sleep(0); // lets old files be compressed meanwhile
}
await file.close();
