import { totalmem } from "node:os";
import type { LlamaLibrary } from "../../ffi/llama/library.ts";
import { Loaded } from "./loaded.ts";
import type { LoadedModel, ModelSpec } from "./protocol.ts";

const MOST_MODELS = 4;
const MEMORY_SHARE = 0.6;

/** The models that are kept loaded, least recently used first to leave when there are too many or too large ones. */
export class Residents implements Disposable {
  private readonly models = new Map<string, Loaded>(); // in order of use

  constructor(private readonly library: LlamaLibrary) {}

  /** The model of a spec, loaded if it is not. @throws SpellError what `Loaded.load` throws */
  get(spec: ModelSpec, words: Int32Array): Loaded {
    const key = JSON.stringify(spec);
    let loaded = this.models.get(key);
    if (loaded === undefined) {
      this.makeRoom(Bun.file(spec.path).size);
      loaded = Loaded.load(this.library, spec, words);
    }
    this.models.delete(key);
    this.models.set(key, loaded);
    return loaded;
  }

  /** True when a model of this file was loaded. */
  unload(path: string): boolean {
    const keys = [...this.models].filter(([, loaded]) => loaded.spec.path === path).map(([key]) => key);
    for (const key of keys) this.drop(key);
    return keys.length > 0;
  }

  describe(): LoadedModel[] {
    return [...this.models.values()].map((loaded) => loaded.describe());
  }

  dispose(): void {
    for (const key of [...this.models.keys()]) this.drop(key);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private makeRoom(bytes: number): void {
    const budget = totalmem() * MEMORY_SHARE - bytes;
    const held = () => [...this.models.values()].reduce((sum, loaded) => sum + loaded.sizeBytes, 0);
    for (const [key, loaded] of [...this.models]) {
      if (loaded.busy) continue;
      if (this.models.size < MOST_MODELS && held() <= budget) return;
      this.drop(key);
    }
  }

  private drop(key: string): void {
    this.models.get(key)?.dispose();
    this.models.delete(key);
  }
}
