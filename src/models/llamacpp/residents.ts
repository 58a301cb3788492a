import { machineMemory } from "../../core/machine-memory.ts";
import type { LlamaLibrary } from "../../ffi/llama/library.ts";
import { chooseDevices, deviceOf } from "./devices.ts";
import { Fallbacks, type Warn } from "./fallback.ts";
import { readGguf } from "./gguf.ts";
import { Loaded } from "./loaded.ts";
import { memoryNeeded, refuseTooLarge } from "./memory.ts";
import type { LoadedModel, ModelSpec, ModelStats } from "./protocol.ts";
import type { Turns } from "./turns.ts";

const MOST_MODELS = 4;
const MEMORY_SHARE = 0.6;

interface Resident {
  loaded: Loaded;
  /** What it takes, as `memoryNeeded` tells. */
  bytes: number;
  /** Requests that use it now; it must not be disposed of. */
  users: number;
}

/**
 * The models that are kept loaded, least recently used first to leave when there are too many or too large ones. One that
 * is in use never leaves; a model that finds no room waits until one can.
 */
export class Residents {
  private readonly models = new Map<string, Resident>(); // in order of use
  private waiting: (() => void)[] = [];
  private readonly fallbacks: Fallbacks;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly turns: Turns,
    warn: Warn = () => {},
  ) {
    this.fallbacks = new Fallbacks(library.backends, warn, (spec) => void this.drop(JSON.stringify(spec)));
  }

  /**
   * Calls `body` with the model of a spec, loaded if it is not, which stays until the call has ended.
   * @throws SpellError what `Loaded.load` and `body` throw
   */
  async use<T>(spec: ModelSpec, words: Int32Array, body: (loaded: Loaded) => T | Promise<T>): Promise<T> {
    return this.fallbacks.run(spec, (device) => this.useThere(device, words, body));
  }

  private async useThere<T>(
    spec: ModelSpec,
    words: Int32Array,
    body: (loaded: Loaded) => T | Promise<T>,
  ): Promise<T> {
    const key = JSON.stringify(spec);
    let resident = this.models.get(key);
    const header = resident === undefined ? readGguf(spec.path) : undefined;
    while (resident === undefined) {
      const bytes = memoryNeeded(header!, spec).totalBytes;
      if (this.makeRoom(bytes)) {
        if (this.staysWithProcessor(spec)) refuseTooLarge(header!, spec);
        resident = { loaded: Loaded.load(this.library, spec, words, this.turns, header), users: 0, bytes };
      } else {
        await this.change();
        resident = this.models.get(key);
      }
    }
    this.models.delete(key);
    this.models.set(key, resident);
    resident.users++;
    try {
      return await body(resident.loaded);
    } finally {
      resident.users--;
      this.changed();
    }
  }

  /** Frees the models of a file, those in use when they no longer are. True when there were any. */
  async unload(path: string): Promise<boolean> {
    const keys = [...this.models].filter(([, { loaded }]) => loaded.spec.path === path).map(([key]) => key);
    for (const key of keys) await this.drop(key);
    return keys.length > 0;
  }

  describe(): LoadedModel[] {
    return [...this.models.values()].map(({ loaded }) => ({
      ...loaded.describe(),
      ...this.fallbacks.describe(loaded.spec),
    }));
  }

  stats(): ModelStats[] {
    return [...this.models.values()].flatMap(({ loaded }) => loaded.stats() ?? []);
  }

  /** Frees all models once no request uses them. */
  async close(): Promise<void> {
    for (const key of [...this.models.keys()]) await this.drop(key);
  }

  /** False where models that are in use leave too little. One that is alone may be as large as it likes. */
  private makeRoom(bytes: number): boolean {
    const held = () =>
      [...this.models.values()].reduce((sum, { bytes, loaded }) => sum + bytes + loaded.addedBytes, 0);
    const fits = () => {
      if (this.models.size === 0) return true;
      const { totalBytes, freeBytes } = machineMemory();
      return (
        this.models.size < MOST_MODELS && held() + bytes <= totalBytes * MEMORY_SHARE && bytes <= freeBytes
      );
    };
    for (const [key, { loaded, users }] of [...this.models]) {
      if (fits()) return true;
      if (users > 0) continue;
      this.models.delete(key);
      loaded.dispose();
    }
    return fits();
  }

  /** Its memory is then this machine's, and to be checked. */
  private staysWithProcessor(spec: ModelSpec): boolean {
    if (spec.checkMemory === false) return false;
    return chooseDevices(this.library.backends, deviceOf(spec)).devices.length === 0;
  }

  private async drop(key: string): Promise<void> {
    const resident = this.models.get(key);
    if (resident === undefined) return;
    while (resident.users > 0) await this.change();
    if (this.models.get(key) !== resident) return;
    this.models.delete(key);
    resident.loaded.dispose();
    this.changed();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private changed(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const wake of waiting) wake();
  }
}
