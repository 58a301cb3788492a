/** A process of its own that asks a local model once: `one-answer.ts MODEL [DEVICE]`. Prints what came of it as JSON. */
import { errorToJson } from "../../src/core/errors.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import type { DeviceSetting } from "../../src/models/llamacpp/protocol.ts";

const [path, device = "auto"] = process.argv.slice(2) as [string, DeviceSetting?];
const client = new InferenceClient();
const warnings: { message: string; data: Record<string, unknown> }[] = [];
client.onWarning = (message, data) => warnings.push({ message, data });
const spec = {
  ...{ path, device, contextTokens: 512, threads: 1, gpuLayers: -1 },
  ...{ batchTokens: 512, ubatchTokens: 512, flashAttention: "auto" as const },
};
let streamed = "";
const ask = (text: string) =>
  client.generate(
    spec,
    {
      prompt: { text },
      sampling: { temperature: 0, repeatPenalty: 1 },
      stops: [],
      reusePrefix: true,
      maxTokens: 32,
    },
    {
      onEvent: (event) => {
        if (event.type === "text") streamed += event.text;
      },
    },
  );
try {
  const { tokens, text } = await ask("Hello");
  const wasStreamed = streamed;
  const { tokens: again } = await ask("Hello");
  console.log(
    JSON.stringify({ tokens, again, text, streamed: wasStreamed, warnings, loaded: await client.loaded() }),
  );
} catch (error) {
  console.log(JSON.stringify({ error: errorToJson(error), warnings }));
}
await client.dispose();
