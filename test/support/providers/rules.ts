/** Rules for JSON as vendors document their requests: every field is named, anything else is refused. */

/** @returns what is wrong, with the place; undefined for what is right */
export type Rule = (value: unknown, place: string) => string | undefined;

export interface Field {
  rule: Rule;
  isRequired: boolean;
}

const kind =
  (name: string, test: (value: unknown) => boolean): Rule =>
  (value, place) =>
    test(value) ? undefined : `${place}: must be ${name}`;

export const text = kind("a string", (value) => typeof value === "string");
export const whole = kind("an integer", Number.isInteger);
export const flag = kind("a boolean", (value) => typeof value === "boolean");
export const anyObject = kind("an object", isObject);
export const anything: Rule = () => undefined;

export const number = (least: number, most: number): Rule =>
  kind(`a number from ${least} to ${most}`, (n) => typeof n === "number" && n >= least && n <= most);

export const oneOf = (...words: unknown[]): Rule =>
  kind(`one of ${JSON.stringify(words)}`, (value) => words.includes(value));

export const matching = (pattern: RegExp): Rule =>
  kind(`text like ${pattern}`, (value) => typeof value === "string" && pattern.test(value));

export const listOf =
  (rule: Rule): Rule =>
  (value, place) => {
    if (!Array.isArray(value)) return `${place}: must be a list`;
    for (const [i, item] of value.entries()) {
      const wrong = rule(item, `${place}.${i}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

/** The first rule that holds decides; where none does, the last one's complaint is told. */
export const either =
  (...rules: Rule[]): Rule =>
  (value, place) => {
    let wrong: string | undefined;
    for (const rule of rules) {
      wrong = rule(value, place);
      if (wrong === undefined) return undefined;
    }
    return wrong;
  };

export const object =
  (required: Record<string, Rule>, optional: Record<string, Rule> = {}): Rule =>
  (value, place) => {
    if (!isObject(value)) return `${place}: must be an object`;
    for (const name of Object.keys(required))
      if (!Object.hasOwn(value, name)) return `${join(place, name)}: field required`;
    for (const [name, member] of Object.entries(value)) {
      const rule = required[name] ?? optional[name];
      if (rule === undefined) return `${join(place, name)}: extra inputs are not permitted`;
      const wrong = rule(member, join(place, name));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

/** Chooses by the value of a field. */
export const by =
  (field: string, kinds: Record<string, Rule>): Rule =>
  (value, place) => {
    if (!isObject(value)) return `${place}: must be an object`;
    const rule = kinds[String(value[field])];
    return rule === undefined
      ? `${join(place, field)}: must be one of ${Object.keys(kinds).join(", ")}`
      : rule(value, place);
  };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const join = (place: string, name: string): string => (place === "" ? name : `${place}.${name}`);
