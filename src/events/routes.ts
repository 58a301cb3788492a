/** Finds those who want events of a type. A type seen before costs one look-up, however many patterns there are. */
import { compilePattern, matchesPattern, type Pattern } from "./pattern.ts";

/** Types whose receivers are remembered; with more, all are found anew. */
const MAX_REMEMBERED = 10_000;

export class Routes<T extends object> {
  private readonly patterns = new Map<T, Pattern>();
  private readonly exact = new Map<string, Set<T>>();
  /** By length, then by the prefix itself. */
  private readonly prefixes = new Map<number, Map<string, Set<T>>>();
  private readonly globs = new Map<T, Pattern>();
  private readonly everything = new Set<T>();
  private readonly remembered = new Map<string, readonly T[]>();
  /** The last question and its answer: events of one type often come in a row. */
  private lastType: string | undefined;
  private lastFound: readonly T[] = [];

  get size(): number {
    return this.patterns.size;
  }

  /** @throws SpellError invalid_argument */
  add(pattern: string, receiver: T): void {
    const compiled = compilePattern(pattern);
    this.patterns.set(receiver, compiled);
    this.forget();
    switch (compiled.kind) {
      case "all":
        this.everything.add(receiver);
        break;
      case "exact":
        setOf(this.exact, compiled.text).add(receiver);
        break;
      case "prefix": {
        const { text } = compiled;
        const ofLength = this.prefixes.get(text.length) ?? new Map<string, Set<T>>();
        this.prefixes.set(text.length, ofLength);
        setOf(ofLength, text).add(receiver);
        break;
      }
      case "glob":
        this.globs.set(receiver, compiled);
    }
  }

  delete(receiver: T): void {
    const compiled = this.patterns.get(receiver);
    if (compiled === undefined) return;
    this.patterns.delete(receiver);
    this.forget();
    this.everything.delete(receiver);
    this.globs.delete(receiver);
    if (compiled.kind === "exact") removeFrom(this.exact, compiled.text, receiver);
    if (compiled.kind === "prefix") {
      const ofLength = this.prefixes.get(compiled.text.length)!;
      removeFrom(ofLength, compiled.text, receiver);
      if (ofLength.size === 0) this.prefixes.delete(compiled.text.length);
    }
  }

  /** In the order of their adding. */
  find(type: string): readonly T[] {
    if (type === this.lastType) return this.lastFound;
    let found = this.remembered.get(type);
    if (found === undefined) {
      found = this.search(type);
      if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
      this.remembered.set(type, found);
    }
    this.lastType = type;
    this.lastFound = found;
    return found;
  }

  private search(type: string): readonly T[] {
    if (this.patterns.size === 0) return [];
    const found = new Set(this.everything);
    for (const receiver of this.exact.get(type) ?? []) found.add(receiver);
    for (const [length, ofLength] of this.prefixes) {
      if (length > type.length) continue;
      for (const receiver of ofLength.get(type.slice(0, length)) ?? []) found.add(receiver);
    }
    for (const [receiver, pattern] of this.globs) if (matchesPattern(pattern, type)) found.add(receiver);
    if (found.size < 2) return [...found];
    return [...this.patterns.keys()].filter((receiver) => found.has(receiver));
  }

  private forget(): void {
    this.remembered.clear();
    this.lastType = undefined;
    this.lastFound = [];
  }
}

function setOf<T>(sets: Map<string, Set<T>>, key: string): Set<T> {
  let set = sets.get(key);
  if (set === undefined) {
    set = new Set();
    sets.set(key, set);
  }
  return set;
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, member: T): void {
  const set = sets.get(key);
  set?.delete(member);
  if (set?.size === 0) sets.delete(key);
}
