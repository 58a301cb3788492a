/**
 * The inference thread: it owns llama.cpp. Native calls block it, so cancelling goes through shared words, not through
 * messages; between steps it takes the messages that came.
 */
import { errorToJson } from "../../core/errors.ts";
import { loadLlama } from "../../ffi/llama/library.ts";
import { EventBuffer } from "./event-buffer.ts";
import type { WorkerReply, WorkerRequest, WorkerResults, WorkerStart } from "./protocol.ts";
import { RepeatedEvents } from "./repeated-events.ts";
import { Residents } from "./residents.ts";
import { withSeed } from "./sampling.ts";
import { Turns } from "./turns.ts";

declare const self: Worker;

let residents: Residents | undefined;
let turns = new Turns();

const send = (reply: WorkerReply) => self.postMessage(reply);

self.onmessage = ({ data }: MessageEvent<WorkerStart | WorkerRequest>) => {
  if (data.type === "start") {
    start(data);
    return;
  }
  turns.messageReceived();
  void reply(data);
};

function start({ libraries, sent }: WorkerStart): void {
  try {
    turns = new Turns(sent);
    const warn = (message: string, data: Record<string, unknown>) => send({ type: "warning", message, data });
    residents = new Residents(loadLlama(libraries), turns, warn);
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
  const { words } = request;
  switch (request.type) {
    case "load":
      return models.use(request.spec, words, (loaded) => {
        loaded.prepare();
        return loaded.describe();
      });
    case "generate": {
      const events = new EventBuffer((event) => send({ type: "event", id: request.id, event }));
      const told = new RepeatedEvents(events.add.bind(events));
      const emit = request.stream ? told.add.bind(told) : undefined;
      const seeded = withSeed(request.request);
      try {
        const result = await models.use(request.spec, words, (loaded) => {
          told.begin();
          return loaded.generator.generate(seeded, { words, emit });
        });
        told.end();
        return result;
      } finally {
        events.flush();
      }
    }
    case "embed":
      return models.use(request.spec, words, (loaded) => loaded.embedder.embed(request.request, words));
    case "rank":
      return models.use(request.spec, words, (loaded) => loaded.embedder.rank(request.request, words));
    case "count":
      return models.use(request.spec, words, (loaded) => {
        const { tokens, chat } = loaded.prompt(request.prompt);
        chat?.dispose();
        return tokens.length;
      });
    case "tokenize":
      return models.use(request.spec, words, ({ model }) =>
        model.tokenize(request.text, request.special, request.parse),
      );
    case "detokenize":
      return models.use(request.spec, words, ({ model }) =>
        model.detokenize(request.tokens, request.special),
      );
    case "unload":
      return models.unload(request.path);
    case "loaded":
      return models.describe();
    case "stats":
      return models.stats();
    case "stop":
      await models.close();
      await turns.giveWay(); // the answers to the others go first
      return undefined;
  }
}
