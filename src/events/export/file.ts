import { type FileHandle, open } from "node:fs/promises";
import { eventDocument } from "../document.ts";
import type { BusEvent } from "../event.ts";
import { BatchOutlet, type BatchSettings } from "../outlet.ts";

/** Appends events to a file, one JSON document a line. Several processes may do so; lines stay whole. */
export class FileExport extends BatchOutlet {
  private file: FileHandle | undefined;

  constructor(
    settings: BatchSettings,
    private readonly path: string,
  ) {
    super(settings);
  }

  /** A file that cannot be written is tried again with the next batch. */
  protected async hand(batch: readonly BusEvent[]): Promise<void> {
    const text = batch.map((event) => `${JSON.stringify(eventDocument(event))}\n`).join("");
    // Its owner's alone: scripts publish what they like.
    this.file ??= await open(this.path, "a", 0o600);
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += (await this.file.write(bytes, done)).bytesWritten;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.file?.close();
    this.file = undefined;
  }
}
