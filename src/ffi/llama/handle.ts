import type { Pointer } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";

/** A pointer as bun:ffi returns it: a number, or a bigint where a number cannot hold it. */
export type Address = Pointer | bigint;

/** A native object with one owner. Using it after `dispose` throws instead of reading freed memory. */
export abstract class NativeHandle implements Disposable {
  #pointer: Address | null;

  protected constructor(
    pointer: Address,
    private readonly what: string,
  ) {
    this.#pointer = pointer;
  }

  /** @throws SpellError internal after disposal */
  get pointer(): Address {
    if (this.#pointer === null)
      throw new SpellError("internal", `Cannot use ${this.what}: it has been disposed of`);
    return this.#pointer;
  }

  get isDisposed(): boolean {
    return this.#pointer === null;
  }

  protected abstract free(pointer: Address): void;

  /** Frees the native object. A second call does nothing. */
  dispose(): void {
    const pointer = this.#pointer;
    if (pointer === null) return;
    this.#pointer = null;
    this.free(pointer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
