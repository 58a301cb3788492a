/** Archives judged by GNU tar, in both directions. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { paddingOf, readTar, TAR_END, tarHeader } from "../../../src/core/tar.ts";
import { uniform } from "../../support/random.ts";

const work = mkdtempSync(join(tmpdir(), "llmspell-tar-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const HUGE = 9_876_543_210; // beyond eleven octal digits

async function entriesOf(path: string) {
  await using file = await open(path, "r");
  return await readTar(file, (await file.stat()).size, (rule) => new Error(rule));
}

describe("Sizes beyond 8 GiB", () => {
  test("are written as GNU tar reads them", async () => {
    const path = join(work, "ours.tar");
    writeFileSync(path, tarHeader("huge.gguf", HUGE));
    truncateSync(path, 512 + HUGE + paddingOf(HUGE) + TAR_END.length);
    const [, , size, , , name] = (await $`tar -tvf ${path}`.text()).trim().split(/\s+/);
    expect([size, name]).toEqual([String(HUGE), "huge.gguf"]);
    expect(await entriesOf(path)).toEqual([{ name: "huge.gguf", sizeBytes: HUGE, offset: 512 }]);
  });

  test("are read as GNU tar writes them", async () => {
    const path = join(work, "theirs.tar");
    writeFileSync(join(work, "sparse.gguf"), "");
    truncateSync(join(work, "sparse.gguf"), HUGE);
    const header = await $`tar --format=gnu -cf - sparse.gguf | head -c 512`.cwd(work).arrayBuffer();
    writeFileSync(path, new Uint8Array(header));
    truncateSync(path, 512 + HUGE + paddingOf(HUGE) + TAR_END.length);
    expect(await entriesOf(path)).toEqual([{ name: "sparse.gguf", sizeBytes: HUGE, offset: 512 }]);
  });
});

test("2,000 damaged archives are refused, or read within their bounds", async () => {
  writeFileSync(join(work, "a.gguf"), "a".repeat(700));
  writeFileSync(join(work, "b.gguf"), "b".repeat(1500));
  const whole = Buffer.from(await $`tar --format=ustar -cf - a.gguf b.gguf`.cwd(work).arrayBuffer());
  const path = join(work, "damaged.tar");
  const random = uniform(1);
  const below = (n: number) => Math.floor(random() * n);
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.from(whole);
    const headerAt = below(2) === 0 ? 0 : 512 + 1024;
    for (let n = 0; n <= below(4); n++) bytes[headerAt + below(512)] = below(256);
    writeFileSync(path, below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes);
    try {
      for (const { sizeBytes, offset } of await entriesOf(path))
        expect(offset + sizeBytes).toBeLessThanOrEqual(bytes.length);
    } catch (error) {
      expect((error as Error).message).toMatch(/archive|plain file|size/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1000);
});
