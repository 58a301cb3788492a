/** What an OpenAI-compatible server must do, said with OpenAI's own client. Run against `llmspell serve` and llama-server. */
import { chatScenarios } from "./chat-scenarios.ts";
import { otherScenarios } from "./other-scenarios.ts";
import type { Scenario } from "./scenario.ts";
import { toolScenarios } from "./tool-scenarios.ts";

export const scenarios: readonly Scenario[] = [...chatScenarios, ...toolScenarios, ...otherScenarios];
