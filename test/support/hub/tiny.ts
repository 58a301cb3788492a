/** A hub with one small repository, made anew for each test of a file. */
import { afterEach, beforeEach } from "bun:test";
import { readFileSync } from "node:fs";
import { SPELL_MINI } from "../gguf-models.ts";
import { HubBox } from "./box.ts";
import { BlobServer, HuggingFaceServer } from "./hubs.ts";

export const mini = readFileSync(SPELL_MINI);
export const SPEC = "acme/tiny:Q8_0";
export const DONE = ["acme--tiny/Q8_0/model.json", "acme--tiny/Q8_0/tiny.gguf"];

export class TinyHub {
  blobs!: BlobServer;
  hub!: HuggingFaceServer;
  box!: HubBox;

  /** Registers the hooks. */
  constructor() {
    beforeEach(async () => {
      this.blobs = await new BlobServer().start();
      const repositories = { "acme/tiny": { files: { "tiny.Q8_0.gguf": mini } } };
      this.hub = await new HuggingFaceServer(repositories, this.blobs).start();
      this.box = new HubBox();
      this.box.configure({ hub: this.hub.origin });
    });
    afterEach(async () => {
      this.box[Symbol.dispose]();
      await Promise.all([this.hub, this.blobs].map((server) => server[Symbol.asyncDispose]()));
    });
  }

  pull(...more: string[]) {
    return this.box.model(["pull", SPEC, ...more]);
  }
}
