/** What every cloud provider has to hold, whatever its wire format. Expected values: the vendors' documentation. */
import { answerCases } from "./answers.ts";
import { deliveryCases } from "./delivery.ts";
import { refusalCases } from "./refusals.ts";
import type { ProviderCase } from "./target.ts";
import { toolCases } from "./tools.ts";

export const cases: readonly ProviderCase[] = [
  ...answerCases,
  ...toolCases,
  ...refusalCases,
  ...deliveryCases,
];
