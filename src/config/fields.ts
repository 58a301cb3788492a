/**
 * The words in which configuration sections are written. Each makes a plain JSON Schema node with a default and one line
 * of documentation, so that decoding, the environment layer, the trust rule and the reference page read one source.
 * The nodes are typed as typebox's but made here: every start needs all 400, and typebox takes 3 ms for them.
 */
import type {
  Static,
  TArray,
  TBoolean,
  TInteger,
  TNumber,
  TObject,
  TOptional,
  TProperties,
  TSchema,
  TString,
  TUnknown,
  TUnsafe,
} from "typebox";

/**
 * When a value of a file that was merely found in the current directory is ignored until that file is trusted:
 * - `always`: whatever the value;
 * - `raise`: when it allows more than the default (true, a larger number, an entry more, another word);
 * - `lower`: when it checks less than the default (false, an entry less).
 */
export type Trust = "always" | "raise" | "lower";

export interface FieldFlags {
  "x-trust"?: Trust;
  /** Never shown, logged or written out. */
  "x-secret"?: true;
  /** A file system path: `${VAR}` and a leading `~` are expanded. */
  "x-path"?: true;
  /** `${VAR}` and a leading `~` are expanded although it is no path. */
  "x-expand"?: true;
  /** Absent until set: it has no default. */
  "x-unset"?: true;
  /** An integer that may also be written as "10KB", "100MB" or "2GB" (powers of 1024). */
  "x-size"?: true;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

/** Needs trust whatever the value. */
export const TRUSTED = { "x-trust": "always" } as const satisfies FieldFlags;
/** Needs trust when it allows more than the default. */
export const NOT_RAISED = { "x-trust": "raise" } as const satisfies FieldFlags;
/** Needs trust when it checks less than the default. */
export const NOT_LOWERED = { "x-trust": "lower" } as const satisfies FieldFlags;
/** A key or password: never shown, and needs trust. */
export const SECRET = {
  "x-secret": true,
  "x-trust": "always",
  "x-expand": true,
} as const satisfies FieldFlags;
/** A path that the program writes to or reads from: needs trust. */
export const PATH = { "x-path": true, "x-trust": "always" } as const satisfies FieldFlags;
export const POSITIVE = { minimum: 1 } as const satisfies FieldFlags;

const node = <S extends TSchema>(
  keywords: { type?: string; enum?: readonly string[]; items?: TSchema },
  description: string,
  byDefault: unknown,
  flags: FieldFlags,
): S =>
  ({
    ...keywords,
    description,
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...flags,
  }) as unknown as S;

const TEXT = { type: "string" } as unknown as TString;

/** A field that must be given: it has no default. */
export const required = (doc: string, flags: FieldFlags = {}) =>
  node<TString>({ type: "string" }, doc, undefined, flags);
export const flag = (byDefault: boolean, doc: string, flags: FieldFlags = {}) =>
  node<TBoolean>({ type: "boolean" }, doc, byDefault, flags);
export const integer = (byDefault: number, doc: string, flags: FieldFlags = {}) =>
  node<TInteger>({ type: "integer" }, doc, byDefault, { minimum: 0, ...flags });
export const number = (byDefault: number, doc: string, flags: FieldFlags = {}) =>
  node<TNumber>({ type: "number" }, doc, byDefault, { minimum: 0, ...flags });
export const text = (byDefault: string, doc: string, flags: FieldFlags = {}) =>
  node<TString>({ type: "string" }, doc, byDefault, flags);
/** One of some words, in any letter case. */
export const choice = <const W extends string>(
  words: readonly W[],
  byDefault: NoInfer<W>,
  doc: string,
  flags: FieldFlags = {},
) => node<TUnsafe<W>>({ type: "string", enum: words }, doc, byDefault, flags);
/** A list of texts, written as an array or as one text with commas. */
export const list = (byDefault: readonly string[], doc: string, flags: FieldFlags = {}) =>
  node<TArray<TString>>({ type: "array", items: TEXT }, doc, byDefault, flags);
/** Any value, kept as it is. */
export const anything = (doc: string, flags: FieldFlags = {}) => node<TUnknown>({}, doc, undefined, flags);
/** A table with keys of the user's choice. */
export const table = <S extends TSchema>(
  values: S,
  doc: string,
  byDefault: object = {},
  flags: FieldFlags = {},
) =>
  ({
    ...(section(doc, {}, values) as object),
    default: byDefault,
    ...flags,
  }) as unknown as TUnsafe<Record<string, Static<S>>>;

/** A table with these keys; `others` is the schema of any further key. */
export const section = <P extends TProperties>(description: string, properties: P, others?: TSchema) =>
  ({
    type: "object",
    required: Object.keys(properties).filter((key) => !("x-unset" in properties[key]!)),
    properties,
    ...(others === undefined ? {} : { additionalProperties: others }),
    description,
  }) as unknown as TObject<P>;

const withoutDefault = <S extends TSchema>(
  keywords: { type: string; enum?: readonly string[]; items?: TSchema },
  doc: string,
  flags: FieldFlags,
) => node<TOptional<S>>(keywords, doc, undefined, { "x-unset": true, ...flags });

/** Keys without a default: absent until set. */
export const unset = {
  flag: (doc: string, flags: FieldFlags = {}) => withoutDefault<TBoolean>({ type: "boolean" }, doc, flags),
  integer: (doc: string, flags: FieldFlags = {}) =>
    withoutDefault<TInteger>({ type: "integer" }, doc, { minimum: 0, ...flags }),
  number: (doc: string, flags: FieldFlags = {}) => withoutDefault<TNumber>({ type: "number" }, doc, flags),
  text: (doc: string, flags: FieldFlags = {}) => withoutDefault<TString>({ type: "string" }, doc, flags),
  choice: <const W extends string>(words: readonly W[], doc: string, flags: FieldFlags = {}) =>
    withoutDefault<TUnsafe<W>>({ type: "string", enum: words }, doc, flags),
  list: (doc: string, flags: FieldFlags = {}) =>
    withoutDefault<TArray<TString>>({ type: "array", items: TEXT }, doc, flags),
  /** A table of texts under keys of the user's choice. */
  texts: (doc: string, flags: FieldFlags = {}) =>
    ({
      ...(section(doc, {}, { ...TEXT, ...flags } as unknown as TString) as object),
      "x-unset": true,
    }) as unknown as TOptional<TUnsafe<Record<string, string>>>,
  anything: (doc: string, flags: FieldFlags = {}) =>
    node<TOptional<TUnknown>>({}, doc, undefined, { "x-unset": true, ...flags }),
  section: <P extends TProperties>(doc: string, properties: P) =>
    ({ ...section(doc, properties), "x-unset": true }) as unknown as TOptional<TObject<P>>,
  table: <S extends TSchema>(values: S, doc: string) =>
    ({ ...(section(doc, {}, values) as object), "x-unset": true }) as unknown as TOptional<
      TUnsafe<Record<string, Static<S>>>
    >,
};
