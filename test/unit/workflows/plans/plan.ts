/** Plans of nested workflows of all types, made at random. What they do is known to `model.ts`, which shares nothing with ours. */

export type Random = () => number;

const below = (random: Random, n: number): number => Math.floor(random() * n);
const chance = (random: Random, share: number): boolean => random() < share;
const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)]!;

/** Whether it holds can be told from what has been done. */
export type Question =
  | { kind: "constant"; holds: boolean }
  /** Of the number that the workflow was given. */
  | { kind: "input"; least: number; form: "text" | "function" }
  | { kind: "succeeded" | "failed" | "says"; step: string; form: "table" | "text" | "function" }
  | { kind: "not"; of: Question }
  | { kind: "and" | "or"; parts: Question[] };

interface StepRules {
  name: string;
  optional: boolean;
  /** Attempts after the first; undefined: as its workflow says. */
  retries: number | undefined;
  question: Question | undefined;
}

export interface Call extends StepRules {
  kind: "call";
  /** Of the tool's calls, unique among all plans of a test. */
  id: string;
  /** Which of its calls fail, counted from 0. */
  fails: ReadonlySet<number>;
  /** A step whose output is part of its own. */
  from: string | undefined;
}

export interface Nested extends StepRules {
  kind: "nested";
  plan: Plan;
  /** The number that it is given. */
  n: number;
}

export type Step = Call | Nested;

export interface Lane {
  name: string;
  steps: Step[];
}

type Strategy = "fail_fast" | "continue" | "retry";

interface PlanFields {
  name: string;
  strategy: Strategy;
}

export interface Line extends PlanFields {
  kind: "line";
  steps: Step[];
}

export interface Beside extends PlanFields {
  kind: "beside";
  lanes: (Lane & { optional: boolean })[];
  most: number;
  failFast: boolean;
  merge: "map" | "array" | "concat" | "first";
}

export interface Choice extends PlanFields {
  kind: "choice";
  first: Step[];
  lanes: (Lane & { question: Question })[];
  otherwise: Lane | undefined;
  all: boolean;
}

export interface Loop extends PlanFields {
  kind: "loop";
  over:
    | { kind: "range"; start: number; end: number; step: number }
    | { kind: "list"; items: unknown[] }
    /** As long as fewer than so many passes have begun. */
    | { kind: "while"; passes: number };
  /** Asked before each pass: whether fewer than so many have begun. */
  passes: number | undefined;
  cap: number | undefined;
  body: Step[];
  /** Ends after the pass of this index. */
  breakAt: number | undefined;
  goesOn: boolean;
  gives: { kind: "collect_all" | "last_only" | "none" } | { kind: "first_n" | "last_n"; count: number };
}

export type Plan = Line | Beside | Choice | Loop;

export class Planner {
  private count = 0;
  constructor(private readonly random: Random) {}

  plan(depth: number): Plan {
    const { random } = this;
    const name = `w${this.count++}`;
    const strategy: Strategy = chance(random, 0.55)
      ? "fail_fast"
      : pick(random, ["continue", "retry"] as const);
    switch (pick(random, ["line", "line", "beside", "choice", "loop"] as const)) {
      case "line":
        return { kind: "line", name, strategy, steps: this.steps(depth, 1 + below(random, 4)) };
      case "beside":
        return this.beside(depth, name, strategy);
      case "choice":
        return this.choice(depth, name, strategy);
      case "loop":
        return this.loop(depth, name, strategy);
    }
  }

  private beside(depth: number, name: string, strategy: Strategy): Beside {
    const { random } = this;
    const lanes = Array.from({ length: 1 + below(random, 4) }, (_, i) => ({
      name: `lane${i}`,
      steps: this.steps(depth, 1 + below(random, 2)),
      optional: chance(random, 0.2),
    }));
    const most = 1 + below(random, 4);
    // the first failure ends what runs beside it: where something does, what else was done would be left to chance
    const failFast = most === 1 && chance(random, 0.5);
    return {
      kind: "beside",
      name,
      strategy,
      lanes,
      most,
      failFast,
      merge: pick(random, ["map", "array", "concat", "first"] as const),
    };
  }

  private choice(depth: number, name: string, strategy: Strategy): Choice {
    const { random } = this;
    const first = chance(random, 0.7) ? this.steps(depth, 1 + below(random, 2)) : [];
    const seen = first.map((step) => step.name);
    const lanes = Array.from({ length: 1 + below(random, 3) }, (_, i) => ({
      name: `way${i}`,
      question: this.question(seen),
      steps: this.steps(depth, 1 + below(random, 2), seen),
    }));
    const otherwise = chance(random, 0.6)
      ? { name: "otherwise", steps: this.steps(depth, 1, seen) }
      : undefined;
    return { kind: "choice", name, strategy, first, lanes, otherwise, all: chance(random, 0.3) };
  }

  private loop(depth: number, name: string, strategy: Strategy): Loop {
    const { random } = this;
    const size = 1 + below(random, 3);
    const step = pick(random, [1, 2, -1, -3, 0.5]);
    const start = below(random, 7) - 3;
    return {
      kind: "loop",
      name,
      strategy,
      over: pick(random, [
        { kind: "range", start, end: start + size * step, step },
        {
          kind: "list",
          items: Array.from({ length: size }, (_, i) => pick<unknown>(random, [i, `item${i}`, { i }])),
        },
        { kind: "while", passes: size - 1 },
      ] as const),
      passes: chance(random, 0.25) ? below(random, 4) : undefined,
      cap: chance(random, 0.25) ? 1 + below(random, 3) : undefined,
      body: this.steps(Math.min(depth, 1), 1 + below(random, 2)),
      breakAt: chance(random, 0.25) ? below(random, 3) : undefined,
      goesOn: chance(random, 0.3),
      gives: pick(random, [
        { kind: "collect_all" },
        { kind: "last_only" },
        { kind: "none" },
        { kind: "first_n", count: 1 + below(random, 2) },
        { kind: "last_n", count: 1 + below(random, 2) },
      ] as const),
    };
  }

  /** @param seen steps before them */
  private steps(depth: number, count: number, seen: readonly string[] = []): Step[] {
    const made: Step[] = [];
    for (let i = 0; i < count; i++) made.push(this.step(depth, [...seen, ...made.map(({ name }) => name)]));
    return made;
  }

  private step(depth: number, seen: readonly string[]): Step {
    const { random } = this;
    const id = `c${this.count++}`;
    const rules = {
      name: `s_${id}`,
      optional: chance(random, 0.2),
      retries: chance(random, 0.3) ? below(random, 3) : undefined,
      question: chance(random, 0.2) ? this.question(seen) : undefined,
    };
    if (depth > 0 && chance(random, 0.35))
      return { kind: "nested", ...rules, plan: this.plan(depth - 1), n: below(random, 10) };
    const fails = chance(random, 0.2)
      ? Array.from({ length: 1 + below(random, 3) }, () => below(random, 4))
      : [];
    return {
      kind: "call",
      ...rules,
      id,
      fails: new Set(fails),
      from: seen.length > 0 && chance(random, 0.5) ? pick(random, seen) : undefined,
    };
  }

  private question(seen: readonly string[], depth = 2): Question {
    const { random } = this;
    const roll = random();
    if (depth > 0 && roll < 0.15) return { kind: "not", of: this.question(seen, depth - 1) };
    if (depth > 0 && roll < 0.3)
      return {
        kind: pick(random, ["and", "or"] as const),
        parts: Array.from({ length: 1 + below(random, 3) }, () => this.question(seen, depth - 1)),
      };
    if (seen.length === 0 || roll < 0.45)
      return chance(random, 0.5)
        ? { kind: "constant", holds: chance(random, 0.6) }
        : { kind: "input", least: below(random, 10), form: pick(random, ["text", "function"] as const) };
    return {
      kind: pick(random, ["succeeded", "failed", "says"] as const),
      step: pick(random, seen),
      form: pick(random, ["table", "text", "function"] as const),
    };
  }
}
