/** The script thread: one VM that serves the kernel until it is terminated. */
import { errorToJson, SpellError } from "../../core/errors.ts";
import { type Reading, type ReadingKind, type Tape, tapeWith } from "../../core/tape.ts";
import type { GlobalDecl } from "../../globals/declare.ts";
import { RING, SharedChannel, type WorkerStart } from "../bridge/protocol.ts";
import { Bindings } from "./bind.ts";
import { Environment, fileAccessAllowed } from "./environment.ts";
import { ScriptFiles } from "./files.ts";
import { ThreadGarbage } from "./garbage.ts";
import { type ExecuteMessage, KernelLink } from "./link.ts";
import type { ReachableVm } from "./stop-hook.ts";
import { LuaVm } from "./vm.ts";
import { compileLua } from "./wasm.ts";

/** A ring, or once, where to reach the VM. */
export type WorkerMessage = typeof RING | ReachableVm;

declare const self: {
  onmessage: ((event: { data: WorkerStart }) => void) | null;
  postMessage(message: WorkerMessage): void;
};

/** Serves one VM with these globals; a worker's entry file calls it and does nothing else. */
export function startLuaWorker(globals: readonly GlobalDecl[]): void {
  self.onmessage = ({ data }) => serve(globals, data);
  compileLua();
}

function serve(globals: readonly GlobalDecl[], { memory, policy }: WorkerStart): void {
  const channel = new SharedChannel(memory);
  const names = { scriptName: "" };
  const garbage = new ThreadGarbage();
  const link = new KernelLink(channel, () => self.postMessage(RING), {
    runFunction: (id, args) => vm.runFunction(id, args),
    releaseFunctions: (pairs) => {
      for (const [id, crossings] of pairs) vm.held.releaseFunction(id, crossings);
    },
    execute: (message) => {
      const outcome = execute(message);
      link.outcome(outcome.broken ? outcome : { ...outcome, heapBytes: vm.heapBytes().usedBytes });
      garbage.ran();
    },
    checkStop: () => vm.checkStop(),
    crossed: (ref) => vm.held.crossed(ref),
  });
  const tape = policy.tapedStartMs === undefined ? undefined : new HostTape(link, policy.tapedStartMs);
  if (tape !== undefined) tapeWith(tape);
  const files = new ScriptFiles(fileAccessAllowed(policy), {
    output: (stream, bytes) => link.output(stream, bytes),
    inputLine: () => link.system("input", null) as Uint8Array | null,
  });
  const vm: LuaVm = new LuaVm({
    policy,
    files,
    stop: () => channel.stop,
    mustEndCallback: () => link.isRunning(channel.stoppedCallback),
    handleCollected: (id, crossings) => link.releaseHandle(id, crossings),
    makeObject: (L, object) => bindings.pushObjectTable(L, object),
  });
  const environment = new Environment(
    vm,
    policy,
    (operation, argument) => link.system(operation, argument),
    (bytes) => link.output(1, bytes),
  );
  const bindings = new Bindings(globals, vm, link, names, policy.features, (L, source, name) =>
    environment.callOwnChunk(L, source, name),
  );

  const execute = (message: ExecuteMessage): Record<string, unknown> => {
    vm.reset();
    names.scriptName = message.args.script;
    try {
      environment.prepare(message);
      environment.loadScript(message);
      return { value: environment.runChunk() };
    } catch (error) {
      if (!(error instanceof SpellError)) return { broken: true, error: errorToJson(vmFailure(error)) };
      if (vm.exitCode !== undefined) return { exitCode: vm.exitCode };
      return { error: errorToJson(error) };
    } finally {
      if (message.interactive) vm.tidy();
      else vm.collectGarbage();
    }
  };

  environment.install();
  bindings.install();
  tape?.listen();
  self.postMessage(vm.reachable);
  link.serve(garbage);
}

/** Time and chance as the kernel's thread records or replays them. */
class HostTape implements Tape {
  readonly isReplay = false;
  private isListened = false;

  constructor(
    private readonly link: KernelLink,
    private readonly startMs: number,
  ) {}

  /** Before this the VM is made, and nobody answers yet. */
  listen(): void {
    this.isListened = true;
  }

  reading<T extends Reading>(kind: ReadingKind): T {
    if (this.isListened) return this.link.system("reading", kind) as T;
    return (kind === "time" ? this.startMs : 0) as T;
  }

  hide(): void {}

  call(): never {
    throw new SpellError("internal", "Cannot call anything from the script thread");
  }

  stream(): never {
    return this.call();
  }

  callback(): never {
    return this.call();
  }

  settle(): void {}
}

/** What got past Lua's own error handling: the VM cannot be used any more. */
function vmFailure(error: unknown): SpellError {
  if (error instanceof RangeError) {
    return new SpellError("limit", "Script stopped: the stack is full", {
      data: { limit: "stack" },
      hint: "Look for recursion without an end",
      cause: error,
    });
  }
  return new SpellError("internal", `The script VM failed: ${String(error)}`, { cause: error });
}
