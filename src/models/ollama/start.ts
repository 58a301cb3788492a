/** `auto_start`: runs `ollama serve` where no server answers, and ends it with this process. */
import { StartedProgram } from "../started-program.ts";
import { type OllamaSettings, ollamaProgram } from "./settings.ts";

const START_MS = 20_000;

/** Only a server on this machine can be started, and only where the program is there. */
export function canStart({ autoStart, isThisMachine, env }: OllamaSettings): boolean {
  return autoStart && isThisMachine && ollamaProgram(env) !== undefined;
}

export function ollamaServe({ baseUrl: server, env, log }: OllamaSettings): StartedProgram {
  return new StartedProgram({
    name: "ollama serve",
    command: () => [ollamaProgram(env)!, "serve"],
    env: { ...env, OLLAMA_HOST: new URL(server).host },
    startMs: START_MS,
    hint: "Run `ollama serve` yourself to see what is wrong",
    onStart: () => log.info("model", "Ollama was started", { server }),
  });
}
