/** The open wait calls and running callbacks of a VM: what waits for what, and who is blocked by whom. */
import { AsyncLocalStorage } from "node:async_hooks";
import { type ErrorJson, errorFromJson, type SpellError } from "../../core/errors.ts";
import { currentSpan, type SpanContext, span, withinSpan } from "../../core/span.ts";
import { currentTape, type Turn } from "../../core/tape.ts";
import { currentTasks, type Task, withTasks } from "../../core/task.ts";
import type { ScriptFunction, ScriptValue } from "../../core/values.ts";
import { Abandoned } from "./abandoned.ts";

/** A script function that the VM was asked to run. */
interface Callback {
  id: number;
  /** The open call whose handler asked for it. */
  call: number | undefined;
  fn: ScriptFunction;
  args: ScriptValue[];
  tasks: readonly Task[];
  /** What calls that it makes belong to in a trace. */
  span: SpanContext | undefined;
  /** Its place in a run that is recorded or replayed. */
  turn: Turn | undefined;
  /** It has made a call of its own, so it stands on the VM's stack. */
  started: boolean;
  resolve(value: ScriptValue): void;
  reject(error: unknown): void;
}

interface OpenCall {
  id: number;
  abort: AbortController;
}

/** No callback: the call was made by the chunk itself. */
const NO_CALLBACK: readonly Task[] = [];

/**
 * Callbacks nest this deep as they come; beyond it only one that the innermost open call needs may begin, and the
 * others wait for their turn, so that many at once do not fill the stack.
 */
const MAX_FREE_DEPTH = 12;

/** So long a call waits for the one that runs, where calls come one after another. */
const HELD_MS = 2000;

const callOf = new AsyncLocalStorage<number>();

export class Frames {
  private readonly calls: OpenCall[] = [];
  private readonly running = new Map<number, Callback>();
  /** In order of arrival. */
  private readonly waiting = new Map<number, Callback>();
  private readonly abandoned: Abandoned;
  private nextId = 1;

  /** @param stop told the callback that must end now, because nobody waits for it; 0 for none any more */
  constructor(
    private readonly start: (id: number, fn: ScriptFunction, args: ScriptValue[]) => void,
    stop: (callback: number) => void,
  ) {
    this.abandoned = new Abandoned(stop);
  }

  open(id: number): void {
    this.calls.push({ id, abort: new AbortController() });
  }

  close(id: number): void {
    const at = this.calls.findLastIndex((call) => call.id === id);
    if (at !== -1) this.calls.splice(at, 1);
  }

  signalOf(id: number): AbortSignal {
    const call = this.calls.findLast((open) => open.id === id);
    return call?.abort.signal ?? AbortSignal.abort();
  }

  run(fn: ScriptFunction, args: ScriptValue[]): Promise<ScriptValue> {
    const callback = { category: "script_runtime", operation: "callback", isFrame: true } as const;
    return span(callback, () => this.enter(fn, args));
  }

  private enter(fn: ScriptFunction, args: ScriptValue[]): Promise<ScriptValue> {
    return new Promise((resolve, reject) => {
      const callback = {
        id: this.nextId++,
        call: callOf.getStore(),
        fn,
        args,
        tasks: currentTasks(),
        span: currentSpan(),
        turn: currentTape()?.callback(),
        started: false,
        resolve,
        reject,
      };
      const { ready } = callback.turn ?? {};
      if (ready === undefined) this.place(callback);
      else void ready.then(() => this.place(callback));
    });
  }

  private place(callback: Callback): void {
    if (callback.turn?.isWithin || this.mayBegin(callback)) {
      this.begin(callback);
      return;
    }
    this.waiting.set(callback.id, callback);
    if (this.isHeld(callback)) setTimeout(() => this.beginHeld(callback), HELD_MS);
  }

  /** It waits only because calls come one after another in a run that is recorded or replayed. */
  private isHeld({ turn }: Callback): boolean {
    return turn !== undefined && this.running.size < MAX_FREE_DEPTH;
  }

  /** The one that runs may be waiting for this one. */
  private beginHeld(callback: Callback): void {
    if (!this.isHeld(callback) || !this.waiting.delete(callback.id)) return;
    this.begin(callback);
  }

  private mayBegin({ call, turn }: Callback): boolean {
    if (this.running.size < (turn === undefined ? MAX_FREE_DEPTH : 1)) return true;
    if (call === undefined || call !== this.calls.at(-1)?.id) return false;
    for (const other of this.running.values()) if (other.call === call) return false;
    return true;
  }

  private beginWaiting(): void {
    for (const callback of this.waiting.values()) {
      if (!this.mayBegin(callback)) return;
      this.waiting.delete(callback.id);
      this.begin(callback);
    }
  }

  private begin(callback: Callback): void {
    callback.turn?.begins(this.running.size > 0);
    this.running.set(callback.id, callback);
    try {
      this.start(callback.id, callback.fn, callback.args);
      this.abandoned.watch(callback.id, callback.tasks);
    } catch (error) {
      this.running.delete(callback.id);
      callback.reject(error);
    }
  }

  settle(id: number, ok: boolean, value: unknown): void {
    const callback = this.running.get(id);
    if (callback === undefined) return;
    this.running.delete(id);
    this.abandoned.ended(id);
    if (ok) callback.resolve(value as ScriptValue);
    else callback.reject(errorFromJson(value as ErrorJson));
    this.beginWaiting();
  }

  /**
   * Runs a handler for a call that the VM made within a callback (0: within the chunk itself): on behalf of the tasks
   * that wait for the callback, and so that callbacks it starts are known to belong to the call.
   */
  within<T>(call: number, callback: number, body: () => T): T {
    const running = this.running.get(callback);
    if (running !== undefined) running.started = true;
    return withTasks(running?.tasks ?? NO_CALLBACK, () =>
      withinSpan(running?.span, () => callOf.run(call, body)),
    );
  }

  /** All tasks that wait for a callback on the VM's stack, or for one that must wait for the stack to shrink. */
  blocked(): ReadonlySet<Task> {
    const tasks = new Set<Task>();
    for (const callback of this.running.values())
      if (callback.started) for (const task of callback.tasks) tasks.add(task);
    for (const callback of this.waiting.values())
      if (!this.isHeld(callback)) for (const task of callback.tasks) tasks.add(task);
    return tasks;
  }

  /** Fails whatever is open. @param keepsFree but callbacks of no open call: the VM answers them between two scripts too */
  endAll(reason: () => SpellError, keepsFree = false): void {
    if (this.calls.length + this.running.size + this.waiting.size === 0) return;
    const error = reason();
    const calls = this.calls.splice(0);
    const isKept = ({ call }: Callback) => keepsFree && !calls.some(({ id }) => id === call);
    for (const { abort } of calls) abort.abort(error);
    const open = [...this.running.values(), ...this.waiting.values()].filter((callback) => !isKept(callback));
    for (const callback of open) {
      if (this.running.delete(callback.id)) this.abandoned.ended(callback.id);
      this.waiting.delete(callback.id);
    }
    for (const callback of open) callback.reject(error);
    this.beginWaiting();
  }
}
