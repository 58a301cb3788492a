import type { ScriptArguments } from "../kernel/api.ts";

/** Words after `--` as the script sees them: spec/cli.md section 4. */
export function scriptArguments(script: string, words: readonly string[]): ScriptArguments {
  const positional: string[] = [];
  const named: Record<string, string> = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const key = word.replace(/^-+/, "");
    if (!word.startsWith("--") || key === "") {
      positional.push(word);
      continue;
    }
    const equals = key.indexOf("=");
    const next = words[i + 1];
    if (equals > 0) set(named, key.slice(0, equals), key.slice(equals + 1));
    else if (next !== undefined && !next.startsWith("--")) set(named, key, words[++i]!);
    else set(named, key, "true");
  }
  return { script, positional, named };
}

/** `--__proto__ x` is a key like any other. */
function set(named: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(named, key, { value, enumerable: true, configurable: true, writable: true });
}
