import { SpellError } from "../../core/errors.ts";
import type { Model } from "../../ffi/llama/model.ts";

/** Longer texts are cut at their end, or refused. */
export interface LengthRule {
  contextTokens: number;
  truncate: boolean;
}

/**
 * A text as the model takes it.
 * @param what names the text in an error: `text 3`
 * @throws SpellError context_overflow, invalid_argument
 */
export function textTokens(model: Model, text: string, what: string, rule: LengthRule): Int32Array {
  const tokens = model.tokenize(text, true, true);
  if (tokens.length === 0) throw new SpellError("invalid_argument", `Cannot embed ${what}: it has no tokens`);
  const over = tokens.length - rule.contextTokens;
  if (over <= 0) return tokens;
  if (!rule.truncate) throw overflow(`embed ${what}`, tokens.length, rule.contextTokens);
  const { end, separator } = model.marks();
  const last = tokens.at(-1);
  const isMarked = last === end.token || last === separator.token;
  const cut = tokens.slice(0, rule.contextTokens);
  if (isMarked) cut[cut.length - 1] = last!;
  return cut;
}

/**
 * A query and a document as a cross-encoder takes them: by the file's `rerank` template, or with the vocabulary's marks
 * around them, as transformers has it: `[CLS] query [SEP] document [SEP]`, `<s> query </s></s> document </s>`.
 * @param what names the document in an error: `document 3`
 * @throws SpellError context_overflow
 */
export function pairTokens(
  model: Model,
  query: string,
  document: string,
  what: string,
  rule: LengthRule,
): Int32Array {
  let tokens = joined(model, query, document);
  if (tokens.length <= rule.contextTokens) return tokens;
  let part = model.tokenize(document, false, false);
  while (tokens.length > rule.contextTokens) {
    const keep = part.length - (tokens.length - rule.contextTokens);
    if (!rule.truncate || keep <= 0) throw overflow(`rank ${what}`, tokens.length, rule.contextTokens);
    part = part.slice(0, keep);
    tokens = joined(model, query, model.detokenize(part, false));
  }
  return tokens;
}

function joined(model: Model, query: string, document: string): Int32Array {
  const template = model.template("rerank");
  if (template !== undefined) {
    const texts: Record<string, string> = { "{query}": query, "{document}": document };
    return model.tokenize(
      template.replace(/\{query\}|\{document\}/g, (name) => texts[name]!),
      false,
      true,
    );
  }
  const { begin, end, separator } = model.marks();
  const mark = ({ token, wanted }: typeof begin) => (wanted && token !== undefined ? [token] : []);
  return Int32Array.from([
    ...mark(begin),
    ...model.tokenize(query, false, false),
    ...mark(end),
    ...mark(separator),
    ...model.tokenize(document, false, false),
    ...mark(end.wanted ? end : separator), // BERT's vocabulary has no end of its own
  ]);
}

function overflow(action: string, tokens: number, contextTokens: number): SpellError {
  const overTokens = tokens - contextTokens;
  return new SpellError(
    "context_overflow",
    `Cannot ${action}: its ${tokens} tokens exceed the context of ${contextTokens} by ${overTokens}`,
    {
      data: { promptTokens: tokens, contextTokens, overTokens },
      hint: "Split the text into shorter ones, or have it cut with truncate = true",
    },
  );
}
