import { eventDocument } from "../document.ts";
import type { BusEvent } from "../event.ts";
import { BatchOutlet, type BatchSettings } from "../outlet.ts";

/** Writes events to standard output, one document a line or indented. */
export class StdoutExport extends BatchOutlet {
  constructor(
    settings: BatchSettings,
    private readonly pretty: boolean,
  ) {
    super(settings);
  }

  protected hand(batch: readonly BusEvent[]): Promise<void> {
    const text = batch
      .map((event) => `${JSON.stringify(eventDocument(event), null, this.pretty ? 2 : undefined)}\n`)
      .join("");
    return new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }
}
