/** Field transforms, prepared once and applied to every record. Records are changed in place. */
import { messageOf, SpellError } from "../../core/errors.ts";
import { fieldPath, getField, removeField, setField } from "./field-path.ts";
import { type CustomTransformers, convert, customTransformer, merge, split } from "./functions.ts";
import type { FieldTransform } from "./schema.ts";

type Fields = Record<string, unknown>;

/** Whether the record changed. */
export type Step = (record: Fields) => boolean | Promise<boolean>;

/** @throws SpellError invalid_argument for an unknown custom transformer */
export function stepOf(transform: FieldTransform, registered: CustomTransformers): Step {
  switch (transform.type) {
    case "Copy":
      return moved(transform.from_field, transform.to_field, (value) => value);
    case "Convert": {
      const { from_field, to_field, converter } = transform;
      return moved(from_field, to_field, (value) => converted(converter, value, from_field));
    }
    case "Default":
      return defaulted(transform.field, transform.value);
    case "Remove": {
      const path = fieldPath(transform.field);
      return (record) => removeField(record, path);
    }
    case "Split": {
      const from = fieldPath(transform.from_field);
      const to = transform.to_fields.map(fieldPath);
      return (record) => {
        const value = getField(record, from);
        if (value === undefined) return false;
        const parts = split(transform.splitter, value, to.length);
        for (const [i, path] of to.entries()) setField(record, path, parts[i]);
        return true;
      };
    }
    case "Merge": {
      const from = transform.from_fields.map(fieldPath);
      const to = fieldPath(transform.to_field);
      return (record) => {
        const values = from.map((path) => getField(record, path));
        if (values.every((value) => value === undefined)) return false;
        try {
          setField(record, to, merge(transform.merger, values));
        } catch (error) {
          throw unfit(transform.from_fields.join(", "), transform.merger, error);
        }
        return true;
      };
    }
    case "Custom": {
      const from = transform.from_fields.map(fieldPath);
      const to = transform.to_fields.map(fieldPath);
      const run = customTransformer(transform.transformer, registered);
      const config = transform.config ?? {};
      return async (record) => {
        const values = from.map((path) => getField(record, path));
        if (values.every((value) => value === undefined)) return false;
        const results = await run(
          values.map((value) => value ?? null),
          config,
        );
        for (const [i, path] of to.entries()) setField(record, path, results[i] ?? null);
        return true;
      };
    }
  }
}

/** Under another name the old field goes. */
function moved(from: string, to: string, change: (value: unknown) => unknown): Step {
  const source = fieldPath(from);
  const target = fieldPath(to);
  return (record) => {
    const value = getField(record, source);
    if (value === undefined) return false;
    const changed = change(value);
    if (from === to) {
      if (changed === value) return false;
    } else removeField(record, source);
    setField(record, target, changed);
    return true;
  };
}

function defaulted(field: string, value: unknown): Step {
  const path = fieldPath(field);
  return (record) => {
    if (getField(record, path) !== undefined) return false;
    // Each record has a table of its own.
    setField(record, path, typeof value === "object" ? structuredClone(value) : value);
    return true;
  };
}

function converted(converter: string, value: unknown, field: string): unknown {
  try {
    return value === null ? null : convert(converter, value);
  } catch (error) {
    throw unfit(field, converter, error);
  }
}

const unfit = (field: string, name: string, error: unknown): SpellError =>
  new SpellError("invalid_argument", `"${field}" cannot go through ${name}: ${messageOf(error)}`, {
    data: { field, converter: name },
  });
