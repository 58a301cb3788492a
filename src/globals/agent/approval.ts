import { APPROVAL_RULES, type ApprovalPolicy, type ApprovalRule, verdictOf } from "../../agents/approval.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isScriptFunction, type ScriptValue } from "../../core/values.ts";
import { describeValue } from "../check.ts";
import { type Table, table, text } from "./fields.ts";

/** A rule for all tools, a table of rules by tool (`default` for the others), or a function. @throws SpellError invalid_argument */
export function approvalPolicy(given: unknown): ApprovalPolicy | undefined {
  if (given === undefined || given === null) return undefined;
  if (isScriptFunction(given))
    return {
      kind: "function",
      decide: async (call) => verdictOf(await given.call({ ...call } as ScriptValue)),
    };
  const all = text(given);
  if (all !== undefined) return { kind: "rules", tools: {}, others: rule(all, "approval") };
  const rules = table(given);
  if (rules === undefined)
    throw new SpellError(
      "invalid_argument",
      `Cannot build agent: "approval" must be a rule, a table of rules or a function: ${describeValue(given)}`,
    );
  const { default: others = "auto", ...tools } = rules;
  return {
    kind: "rules",
    tools: Object.fromEntries(
      Object.entries(tools).map(([tool, value]) => [tool, rule(value, `approval.${tool}`)]),
    ),
    others: rule(others, "approval.default"),
  };
}

/** As scripts read it: a function is only named. */
export function approvalTable(policy: ApprovalPolicy | undefined): ScriptValue {
  if (policy === undefined) return undefined;
  if (policy.kind === "function") return "function";
  return { ...policy.tools, default: policy.others } satisfies Table;
}

function rule(value: ScriptValue, name: string): ApprovalRule {
  const found = APPROVAL_RULES.find((known) => known === value);
  if (found !== undefined) return found;
  const hint = typeof value === "string" ? didYouMean(value, APPROVAL_RULES) : undefined;
  throw new SpellError(
    "invalid_argument",
    `Cannot build agent: "${name}" must be one of ${APPROVAL_RULES.join(", ")}: ${describeValue(value)}`,
    hint === undefined ? {} : { hint },
  );
}
