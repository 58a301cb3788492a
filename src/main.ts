import { main } from "./cli/main.ts";
import { PROBE_COMMAND, PROBE_DEVICES_COMMAND } from "./core/self.ts";

const words = process.argv.slice(2);
if (words[0] === PROBE_COMMAND) {
  const { answerProbe } = await import("./models/probe/child.ts");
  process.exit(await answerProbe(words[1]!));
}
if (words[0] === PROBE_DEVICES_COMMAND) {
  const { answerEngine } = await import("./models/probe/engine-child.ts");
  process.exit(await answerEngine(words[1] as Parameters<typeof answerEngine>[0]));
}
process.exit(await main(words));
