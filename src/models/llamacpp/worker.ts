/**
 * The inference thread: it owns llama.cpp. Answers are made one after another; counting and tokenizing go in between.
 * `native` calls block this thread, so cancelling goes through shared words, not through messages.
 */
import { errorToJson } from "../../core/errors.ts";
import { loadLlama } from "../../ffi/llama/library.ts";
import { EventBuffer } from "./event-buffer.ts";
import { generate } from "./generate.ts";
import {
  SLOT_WORDS,
  type WorkerReply,
  type WorkerRequest,
  type WorkerResults,
  type WorkerStart,
} from "./protocol.ts";
import { Residents } from "./residents.ts";

/** How long steps may run before messages are looked at. */
const PAUSE_EVERY_MS = 8;

const USES_CONTEXT: ReadonlySet<WorkerRequest["type"]> = new Set(["generate", "load", "unload", "stop"]);

declare const self: Worker;

let residents: Residents | undefined;
let words = new SharedArrayBuffer(0);
let answering: Promise<unknown> = Promise.resolve();

const send = (reply: WorkerReply) => self.postMessage(reply);

self.onmessage = ({ data }: MessageEvent<WorkerStart | WorkerRequest>) => {
  if (data.type === "start") {
    start(data);
    return;
  }
  // what uses the context waits its turn, the rest does not
  if (USES_CONTEXT.has(data.type)) answering = answering.then(() => reply(data));
  else void reply(data);
};

function start({ libraries, words: shared }: WorkerStart): void {
  try {
    residents = new Residents(loadLlama(libraries));
    words = shared;
    send({ type: "ready" });
  } catch (error) {
    send({ type: "unable", error: errorToJson(error) });
  }
}

async function reply(request: WorkerRequest): Promise<void> {
  const { id } = request;
  try {
    send({ type: "done", id, result: await handle(request, residents!) });
  } catch (error) {
    send({ type: "failed", id, error: errorToJson(error) });
  }
}

async function handle(
  request: WorkerRequest,
  models: Residents,
): Promise<WorkerResults[keyof WorkerResults]> {
  const slotWords = new Int32Array(words, request.slot * SLOT_WORDS * 4, SLOT_WORDS);
  switch (request.type) {
    case "load":
      return models.get(request.spec, slotWords).describe();
    case "generate": {
      const loaded = models.get(request.spec, slotWords);
      const events = new EventBuffer((event) => send({ type: "event", id: request.id, event }));
      loaded.busy = true;
      try {
        return await generate(loaded, request.request, {
          words: slotWords,
          emit: (event) => events.add(event),
          pause,
        });
      } finally {
        events.flush();
        loaded.busy = false;
      }
    }
    case "count": {
      const { tokens, chat } = models.get(request.spec, slotWords).prompt(request.prompt);
      chat?.dispose();
      return tokens.length;
    }
    case "tokenize":
      return models.get(request.spec, slotWords).model.tokenize(request.text, request.special, request.parse);
    case "detokenize":
      return models.get(request.spec, slotWords).model.detokenize(request.tokens, request.special);
    case "unload":
      return models.unload(request.path);
    case "loaded":
      return models.describe();
    case "stop":
      models.dispose();
      return undefined;
  }
}

let lastPauseMs = 0;

async function pause(): Promise<void> {
  const nowMs = performance.now();
  if (nowMs - lastPauseMs < PAUSE_EVERY_MS) return;
  await new Promise<void>((resolve) => setImmediate(resolve));
  lastPauseMs = performance.now();
}
