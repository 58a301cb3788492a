/** What the kernel holds of a script and the script of the kernel: functions, and handles of kernel objects. */
import { SpellError } from "../../core/errors.ts";
import {
  Handle,
  isScriptFunction,
  type ScriptFunction,
  ScriptTable,
  type ScriptValue,
} from "../../core/values.ts";
import { type Reader, Special, type SpecialCodec, type Writer } from "./codec.ts";
import type { Numbering } from "./numbering.ts";

export interface FunctionCalls {
  call(fn: ScriptFunction, args: ScriptValue[]): Promise<ScriptValue>;
  /** Tells the script thread which functions are no longer held, each with its count of crossings. */
  release(pairs: readonly (readonly [id: number, crossings: number])[]): void;
}

/** A script function as services hold it. */
class KernelFunction implements ScriptFunction {
  readonly kind = "function";
  constructor(private readonly owner: References) {}

  call(...args: ScriptValue[]): Promise<ScriptValue> {
    return this.owner.calls.call(this, args);
  }

  release(): void {
    this.owner.release(this);
  }
}

interface HeldFunction {
  id: number;
  crossings: number;
}

export class References implements SpecialCodec {
  private readonly functions = new Map<number, { weak: WeakRef<KernelFunction>; held: HeldFunction }>();
  private readonly held = new WeakMap<ScriptFunction, HeldFunction>();
  private readonly handles = new Map<number, { handle: Handle; crossings: number }>();
  private readonly handleIds = new Map<object, number>();
  private readonly classNumbers: Map<string, number>;
  private nextHandle = 1;
  private unreported: (readonly [number, number])[] = [];
  private readonly collected = new FinalizationRegistry<HeldFunction>((held) => this.give(held));

  constructor(
    private readonly numbering: Numbering,
    readonly calls: FunctionCalls,
  ) {
    this.classNumbers = new Map(numbering.classes.map((c) => [c.decl.name, c.number]));
  }

  clear(): void {
    this.functions.clear();
    this.handles.clear();
    this.handleIds.clear();
  }

  /** @throws SpellError not_found when the function was released */
  idOf(fn: ScriptFunction): number {
    const held = this.held.get(fn);
    if (held === undefined)
      throw new SpellError("not_found", "Cannot run the script function: it was released");
    return held.id;
  }

  release(fn: KernelFunction): void {
    const held = this.held.get(fn);
    if (held === undefined) return;
    this.held.delete(fn);
    this.collected.unregister(held);
    this.give(held);
  }

  /** Gives a function back; many that go at once are reported together. */
  private give(held: HeldFunction): void {
    if (this.functions.get(held.id)?.held === held) this.functions.delete(held.id);
    if (this.unreported.length === 0) queueMicrotask(() => this.report());
    this.unreported.push([held.id, held.crossings]);
  }

  private report(): void {
    const pairs = this.unreported;
    this.unreported = [];
    this.calls.release(pairs);
  }

  objectOf(handle: number): object {
    const found = this.handles.get(handle);
    if (found === undefined) throw new SpellError("not_found", "Cannot use the object: it was released");
    return found.handle.object;
  }

  releaseHandle(id: number, crossings: number): void {
    const found = this.handles.get(id);
    if (found === undefined) return;
    found.crossings -= crossings;
    if (found.crossings > 0) return;
    this.handles.delete(id);
    this.handleIds.delete(found.handle.object);
  }

  /** How many handles and functions are held. For tests of leaks. */
  counts(): { handles: number; functions: number } {
    return { handles: this.handles.size, functions: this.functions.size };
  }

  write(value: object, writer: Writer): boolean {
    if (value instanceof Handle) this.writeHandle(value, writer);
    else if (value instanceof ScriptTable) writer.byte(Special.table).value({ ...value.parts });
    else if (isScriptFunction(value)) writer.byte(Special.function).uint32(this.idOf(value));
    else return false;
    return true;
  }

  private writeHandle(handle: Handle, writer: Writer): void {
    const number = this.classNumbers.get(handle.className);
    if (number === undefined)
      throw new SpellError("internal", `Cannot hand out an object: unknown class: ${handle.className}`);
    let id = this.handleIds.get(handle.object);
    if (id === undefined) {
      id = this.nextHandle++;
      this.handleIds.set(handle.object, id);
      this.handles.set(id, { handle, crossings: 0 });
    }
    this.handles.get(id)!.crossings++;
    const { fields } = this.numbering.classes[number]!.decl;
    writer
      .byte(Special.handle)
      .uint32(id)
      .uint32(number)
      .value(fields?.(handle.object as never) ?? {});
  }

  read(reader: Reader): unknown {
    const kind = reader.byte();
    const id = reader.uint32();
    if (kind === Special.function) return this.functionOf(id);
    const found = this.handles.get(id);
    if (found === undefined) throw new SpellError("not_found", "Cannot use the object: it was released");
    return found.handle;
  }

  /** The one object for a function while anyone holds it. */
  private functionOf(id: number): KernelFunction {
    const known = this.functions.get(id);
    const alive = known?.weak.deref();
    if (known !== undefined && alive !== undefined) {
      known.held.crossings++;
      return alive;
    }
    const fn = new KernelFunction(this);
    const held = { id, crossings: 1 };
    this.held.set(fn, held);
    this.functions.set(id, { weak: new WeakRef(fn), held });
    this.collected.register(fn, held, held);
    return fn;
  }
}
