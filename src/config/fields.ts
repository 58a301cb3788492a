/**
 * The words in which configuration sections are written. Each makes a plain JSON Schema node with a default and one line
 * of documentation, so that decoding, the environment layer, the trust rule and the reference page read one source.
 */
import { type Static, type TProperties, type TSchema, Type } from "typebox";

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

const described = <T>(description: string, byDefault: T, flags: FieldFlags) => ({
  description,
  default: byDefault,
  ...flags,
});

export const flag = (byDefault: boolean, doc: string, flags: FieldFlags = {}) =>
  Type.Boolean(described(doc, byDefault, flags));
export const integer = (byDefault: number, doc: string, flags: FieldFlags = {}) =>
  Type.Integer(described(doc, byDefault, { minimum: 0, ...flags }));
export const number = (byDefault: number, doc: string, flags: FieldFlags = {}) =>
  Type.Number(described(doc, byDefault, { minimum: 0, ...flags }));
export const text = (byDefault: string, doc: string, flags: FieldFlags = {}) =>
  Type.String(described(doc, byDefault, flags));
/** One of some words, in any letter case. */
export const choice = <const W extends string>(
  words: readonly W[],
  byDefault: NoInfer<W>,
  doc: string,
  flags: FieldFlags = {},
) => Type.Unsafe<W>({ type: "string", enum: words, ...described(doc, byDefault, flags) });
/** A list of texts, written as an array or as one text with commas. */
export const list = (byDefault: readonly string[], doc: string, flags: FieldFlags = {}) =>
  Type.Array(Type.String(), described(doc, byDefault, flags));
/** A table with keys of the user's choice. */
export const table = <S extends TSchema>(
  values: S,
  doc: string,
  byDefault: object = {},
  flags: FieldFlags = {},
) =>
  Type.Unsafe<Record<string, Static<S>>>({
    type: "object",
    properties: {},
    additionalProperties: values,
    ...described(doc, byDefault, flags),
  });

export const section = <P extends TProperties>(doc: string, properties: P) =>
  Type.Object(properties, { description: doc });

/** Keys without a default: absent until set. */
export const unset = {
  flag: (doc: string, flags: FieldFlags = {}) => Type.Optional(Type.Boolean({ description: doc, ...flags })),
  integer: (doc: string, flags: FieldFlags = {}) =>
    Type.Optional(Type.Integer({ description: doc, minimum: 0, ...flags })),
  number: (doc: string, flags: FieldFlags = {}) => Type.Optional(Type.Number({ description: doc, ...flags })),
  text: (doc: string, flags: FieldFlags = {}) => Type.Optional(Type.String({ description: doc, ...flags })),
  choice: <const W extends string>(words: readonly W[], doc: string, flags: FieldFlags = {}) =>
    Type.Optional(Type.Unsafe<W>({ type: "string", enum: words, description: doc, ...flags })),
  list: (doc: string, flags: FieldFlags = {}) =>
    Type.Optional(Type.Array(Type.String(), { description: doc, ...flags })),
  section: <P extends TProperties>(doc: string, properties: P) => Type.Optional(section(doc, properties)),
};
