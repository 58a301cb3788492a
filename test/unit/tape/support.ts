import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTape, TAPE_VERSION, type TapeHeader } from "../../../src/tape/format.ts";
import { Player } from "../../../src/tape/player.ts";
import { Recorder } from "../../../src/tape/recorder.ts";
import { Secrets } from "../../../src/tape/secrets.ts";

export const HEADER: TapeHeader = {
  llmspell_recording: TAPE_VERSION,
  llmspell: "0.1.0",
  created: "2026-01-02T03:04:05.000Z",
  script: "test.lua",
  time_zone: "UTC",
};

/** A recording in a directory of its own. */
export class TapePlace implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
  readonly path = join(this.directory, "tape.jsonl");
  readonly redacted: string[] = [];

  recorder(secrets: string[] = [], overwrite = false): Recorder {
    return new Recorder({
      path: this.path,
      overwrite,
      header: HEADER,
      secrets: new Secrets(secrets),
      onRedacted: (name) => this.redacted.push(name),
    });
  }

  get text(): string {
    return readFileSync(this.path, "utf8");
  }

  player(text = this.text, secrets: string[] = []): Player {
    return new Player({ path: this.path, tape: readTape(text, this.path), secrets: new Secrets(secrets) });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a replay must never call. */
export const never = (): Promise<never> => Promise.reject(new Error("the outside was asked"));
