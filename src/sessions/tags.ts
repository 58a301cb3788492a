import { SpellError } from "../core/errors.ts";

const LONGEST = 64;

/** Each tag once. @throws SpellError invalid_argument */
export function checkTags(tags: readonly string[]): string[] {
  const bad = tags.find((tag) => tag === "" || tag.length > LONGEST);
  if (bad === undefined) return [...new Set(tags)];
  throw new SpellError(
    "invalid_argument",
    `Invalid tag: it must have 1 to ${LONGEST} characters: ${JSON.stringify(bad.slice(0, 100))}`,
  );
}
