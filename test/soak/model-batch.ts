/** Many model files in the store of one sandbox, gone through by one run of the executable. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { check, checkSound, ended, mostRssBytesOf } from "./soak.ts";

const GUARD_MS = 180_000;
const MOST_RSS_BYTES = 400 << 20;
const LOOK_MS = 20;

/** `ok` or `refused`, and what the script printed besides. */
export interface Outcome {
  id: string;
  isOk: boolean;
  text: string;
}

/** Calls `body` with `id` for every model of the store and tells what came of each, a line at once, so that a crash names its file. */
const scriptOf = (body: string) => `
for i = tonumber(arg[1]), tonumber(arg[2]) do
  local id = "m" .. i
  io.write(id, " ")
  local ok, result = pcall(function() ${body} end)
  print(ok and "ok" or "refused", (tostring(result):gsub("%s+", " ")))
end`;

export class ModelBatch implements Disposable {
  readonly box = new Sandbox();
  /** Of all runs. */
  mostRssBytes = 0;
  private count = 0;

  /** @param body Lua that uses `id` and returns what is to be told of it */
  constructor(
    body: string,
    private readonly size: number,
    private readonly judge: (outcome: Outcome) => void,
  ) {
    this.box.write("try.lua", scriptOf(body));
  }

  /** @param write puts the file at a path @param what names it in a failure */
  async add(write: (path: string) => void, what: string): Promise<void> {
    const directory = join(this.models, `m${this.count++}`, "x");
    mkdirSync(directory, { recursive: true });
    write(join(directory, "model.gguf"));
    writeFileSync(join(directory, "round"), what);
    if (this.count === this.size) await this.flush();
  }

  private get models(): string {
    return join(this.box.home, ".llmspell/models/llamacpp");
  }

  async flush(): Promise<void> {
    if (this.count === 0) return;
    const what = `models ${readFileSync(join(this.models, "m0/x/round"))} and following`;
    const proc = this.box.start(["run", "try.lua", "--", "0", String(this.count - 1)]);
    const look = setInterval(() => {
      this.mostRssBytes = Math.max(this.mostRssBytes, mostRssBytesOf(proc.pid));
    }, LOOK_MS);
    const end = await ended(proc, GUARD_MS, what).finally(() => clearInterval(look));
    const lines = end.stdout.split("\n");
    const last = lines.at(-1)!.split(" ")[0];
    const culprit = last === "" ? "" : this.keep(last!);
    checkSound(end, `${what}: ${culprit}`);
    check(end.code === 0, `${what}: ${culprit}`, end);
    check(this.mostRssBytes < MOST_RSS_BYTES, `${what}: it took ${this.mostRssBytes} bytes of memory`);
    for (const line of lines.filter((text) => text !== "")) this.judge(outcomeOf(line));
    rmSync(this.models, { recursive: true, force: true });
    this.count = 0;
  }

  /** Keeps the file that ended the process, and tells where. */
  private keep(id: string): string {
    const kept = join(this.box.root, "..", `llmspell-soak-${id}.gguf`);
    writeFileSync(kept, readFileSync(join(this.models, id, "x/model.gguf")));
    return `${readFileSync(join(this.models, id, "x/round"))}, kept as ${kept}`;
  }

  [Symbol.dispose](): void {
    this.box[Symbol.dispose]();
  }
}

function outcomeOf(line: string): Outcome {
  const [, id, outcome, text] = /^(m\d+) (ok|refused)\t?(.*)$/s.exec(line) ?? [];
  check(id !== undefined, "a line that says nothing", line);
  const isOk = outcome === "ok";
  check(
    isOk || text!.includes(`${id}:x`) || text!.includes(`${id}/x`),
    "a message that does not name the file",
    line,
  );
  return { id, isOk, text: text! };
}
