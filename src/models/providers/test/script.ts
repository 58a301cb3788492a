/** The answers of a `provider_type = "test"` provider, as its configuration table gives them (docs/test-provider.md). */

import type { RE2JS } from "re2js";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../../core/errors.ts";
import { linearRegex } from "../../../core/linear-regex.ts";
import { didYouMean } from "../../../core/nearest.ts";

const answerFields = {
  text: Type.Optional(Type.String()),
  tool_calls: Type.Optional(
    Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1 }),
          arguments: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String()])),
        },
        { additionalProperties: false },
      ),
    ),
  ),
  error: Type.Optional(Type.String({ minLength: 1 })),
  finish_reason: Type.Optional(Type.Enum(["stop", "length", "content-filter", "other"])),
  delay_ms: Type.Optional(Type.Integer({ minimum: 0 })),
  chunk_delay_ms: Type.Optional(Type.Integer({ minimum: 0 })),
};

const Answer = Type.Object(answerFields, { additionalProperties: false });
const Response = Type.Object(
  {
    ...answerFields,
    match: Type.Optional(Type.String({ minLength: 1 })),
    system: Type.Optional(Type.String({ minLength: 1 })),
    after_tool: Type.Optional(Type.String({ minLength: 1 })),
    model: Type.Optional(Type.String({ minLength: 1 })),
    answers: Type.Optional(Type.Array(Answer, { minItems: 1 })),
  },
  { additionalProperties: false },
);
const Responses = Type.Array(Response);

export type ScriptedAnswer = Static<typeof Answer>;
type ScriptedResponse = Static<typeof Response>;

/** The end of a conversation, as patterns see it. */
export interface Question {
  model: string;
  system: string;
  /** The last user message; with tool results after it, still that message. */
  prompt: string;
  /** Results of the tools that were just called, in order; empty when the user spoke last. */
  toolResults: { tool: string; text: string }[];
}

interface Entry {
  response: ScriptedResponse;
  match: Pattern | undefined;
  system: Pattern | undefined;
  answers: ScriptedAnswer[];
  used: number;
}

/** `/…/` and `/…/i` are regular expressions, anything else is looked for as it stands. */
class Pattern {
  private readonly regex: RE2JS | undefined;

  constructor(private readonly source: string) {
    const parts = /^\/(.+)\/(i?)$/s.exec(source);
    if (parts) this.regex = linearRegex(parts[1]!, { ignoreCase: parts[2] === "i" });
  }

  /** The whole match and its groups, or undefined. */
  find(text: string): string[] | undefined {
    if (this.regex === undefined) return text.includes(this.source) ? [this.source] : undefined;
    const matcher = this.regex.matcher(text);
    if (!matcher.find()) return undefined;
    return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? "");
  }
}

/** Answers questions in the order of the configuration: the first entry that fits gives its next answer. */
export class TestScript {
  private readonly entries: Entry[];

  /**
   * @param provider key of the configuration table, for messages
   * @throws config for a table that breaks the schema or holds an invalid expression
   */
  constructor(
    private readonly provider: string,
    responses: unknown,
  ) {
    this.entries = readResponses(provider, responses).map((response, i) => {
      const { match, system, after_tool: _tool, model: _model, answers, ...single } = response;
      return {
        response,
        match: match === undefined ? undefined : this.pattern(match, i, "match"),
        system: system === undefined ? undefined : this.pattern(system, i, "system"),
        answers: answers ?? [single],
        used: 0,
      };
    });
  }

  private pattern(source: string, index: number, key: string): Pattern {
    try {
      return new Pattern(source);
    } catch (cause) {
      throw new SpellError(
        "config",
        `Cannot use providers.${this.provider}.responses[${index}].${key}: ${source}`,
        {
          cause,
          hint: "Write /…/ for an RE2 regular expression; anything else is looked for as it stands",
        },
      );
    }
  }

  /** The answer with its placeholders filled. Successive questions to one entry get its `answers` in turn, then the last. */
  answer(question: Question): ScriptedAnswer {
    for (const entry of this.entries) {
      const groups = fits(entry, question);
      if (groups === undefined) continue;
      const index = Math.min(entry.used++, entry.answers.length - 1);
      return filled(entry.answers[index]!, question, groups);
    }
    throw this.unmatched(question);
  }

  private unmatched(question: Question): SpellError {
    const asked = subject(question);
    const shown = asked.length > 300 ? `${asked.slice(0, 297)}...` : asked;
    const closest = closestPattern(
      asked,
      this.entries.flatMap(({ response }) => response.match ?? []),
    );
    const after = question.toolResults.at(-1);
    const what = after === undefined ? "the prompt" : `the result of tool "${after.tool}"`;
    return new SpellError(
      "provider",
      `No scripted answer of provider "${this.provider}" matches ${what}: ${shown}`,
      {
        data: { provider: this.provider, prompt: shown },
        hint:
          closest === undefined
            ? `Add [[providers.${this.provider}.responses]] with a \`match\`, or one without it that answers everything else`
            : `The nearest pattern is: ${closest}`,
      },
    );
  }
}

function readResponses(provider: string, responses: unknown): ScriptedResponse[] {
  if (responses === undefined) return [];
  if (Value.Check(Responses, responses)) return responses;
  const { instancePath, keyword, message } = Value.Errors(Responses, responses)[0]!;
  const path = instancePath.replace(/\/(\d+)/g, "[$1]").replaceAll("/", ".");
  // A key that the schema does not list fails the schema "false".
  const unknown = keyword === "boolean" ? instancePath.slice(instancePath.lastIndexOf("/") + 1) : undefined;
  const reason = unknown === undefined ? message : "unknown key";
  throw new SpellError("config", `Cannot use providers.${provider}.responses${path}: ${reason}`, {
    hint:
      (unknown === undefined ? undefined : didYouMean(unknown, Object.keys(Response.properties))) ??
      "docs/test-provider.md lists the keys of a response",
  });
}

/** The groups of the match where an entry applies. */
function fits({ response, match, system }: Entry, question: Question): string[] | undefined {
  if (response.model !== undefined && response.model !== question.model) return undefined;
  if (system !== undefined && system.find(question.system) === undefined) return undefined;
  const tool = response.after_tool;
  if (tool === undefined && question.toolResults.length > 0) return undefined;
  if (tool !== undefined) {
    const results = question.toolResults.filter((result) => tool === "*" || result.tool === tool);
    if (results.length === 0) return undefined;
    const text = results.map((result) => result.text).join("\n");
    return match === undefined ? [text] : match.find(text);
  }
  return match === undefined ? [question.prompt] : match.find(question.prompt);
}

function subject(question: Question): string {
  return question.toolResults.length > 0
    ? question.toolResults.map((result) => result.text).join("\n")
    : question.prompt;
}

/** Fills `{{prompt}}`, `{{tool_result}}` and `{{0}}`, `{{1}}` … in the texts of an answer. */
function filled(answer: ScriptedAnswer, question: Question, groups: string[]): ScriptedAnswer {
  const values: Record<string, string> = {
    prompt: question.prompt,
    tool_result: question.toolResults.map((result) => result.text).join("\n"),
    ...Object.fromEntries(groups.entries()),
  };
  const fill = (value: unknown): unknown => {
    if (typeof value === "string")
      return value.replace(/\{\{(\w+)\}\}/g, (whole, key) =>
        Object.hasOwn(values, key) ? values[key]! : whole,
      );
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member)]));
  };
  return fill(answer) as ScriptedAnswer;
}

/** The pattern that shares most words with the prompt; undefined where none shares one. */
function closestPattern(prompt: string, patterns: string[]): string | undefined {
  const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const asked = words(prompt);
  let best: { pattern: string; shared: number } | undefined;
  for (const pattern of patterns) {
    const own = words(pattern);
    const shared = [...own].filter((word) => asked.has(word)).length / Math.max(1, own.size);
    if (shared > (best?.shared ?? 0)) best = { pattern, shared };
  }
  return best?.pattern;
}
