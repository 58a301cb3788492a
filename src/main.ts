import { main } from "./cli/main.ts";
import { PROBE_COMMAND } from "./core/self.ts";

const words = process.argv.slice(2);
if (words[0] === PROBE_COMMAND) {
  const { answerProbe } = await import("./models/probe/child.ts");
  process.exit(await answerProbe(words[1]!));
}
process.exit(await main(words));
