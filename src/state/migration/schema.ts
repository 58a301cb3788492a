/** What a schema file says: spec/agents-workflows-rag.md section 9.4. */
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1 });
const Names = Type.Array(Name, { minItems: 1 });
const Anything = Type.Unknown();
const Table = Type.Record(Type.String(), Anything);

export const FIELD_TYPES = ["string", "integer", "number", "boolean", "array", "object", "any"] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export const ValidationRule = Type.Union([
  Type.Object({ type: Type.Literal("NotNull"), field: Name }, closed),
  Type.Object(
    {
      type: Type.Literal("Type"),
      field: Name,
      expected: Type.Enum([...FIELD_TYPES]),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal("Range"),
      field: Name,
      min: Type.Optional(Type.Number()),
      max: Type.Optional(Type.Number()),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal("Length"),
      field: Name,
      min: Type.Optional(Type.Integer({ minimum: 0 })),
      max: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    closed,
  ),
  /** An RE2 expression that must match somewhere. */
  Type.Object({ type: Type.Literal("Pattern"), field: Name, pattern: Type.String() }, closed),
  /** A registered function of the value; what it returns must be true. */
  Type.Object(
    { type: Type.Literal("Custom"), field: Name, validator: Name, config: Type.Optional(Table) },
    closed,
  ),
]);
export type ValidationRule = Static<typeof ValidationRule>;

export const FieldTransform = Type.Union([
  Type.Object({ type: Type.Literal("Copy"), from_field: Name, to_field: Name }, closed),
  Type.Object(
    {
      type: Type.Literal("Convert"),
      from_field: Name,
      to_field: Name,
      from_type: Type.Optional(Type.String()),
      to_type: Type.Optional(Type.String()),
      converter: Name,
    },
    closed,
  ),
  Type.Object({ type: Type.Literal("Default"), field: Name, value: Anything }, closed),
  Type.Object({ type: Type.Literal("Remove"), field: Name }, closed),
  Type.Object({ type: Type.Literal("Split"), from_field: Name, to_fields: Names, splitter: Name }, closed),
  Type.Object({ type: Type.Literal("Merge"), from_fields: Names, to_field: Name, merger: Name }, closed),
  Type.Object(
    {
      type: Type.Literal("Custom"),
      from_fields: Names,
      to_fields: Names,
      transformer: Name,
      config: Type.Optional(Table),
    },
    closed,
  ),
]);
export type FieldTransform = Static<typeof FieldTransform>;

export const Transformation = Type.Object(
  {
    id: Type.Optional(Name),
    description: Type.Optional(Type.String()),
    from_schema_version: Name,
    /** Default: the version of the file. */
    to_schema_version: Type.Optional(Name),
    field_transforms: Type.Array(FieldTransform, { default: [] }),
    validation_rules: Type.Array(ValidationRule, { default: [] }),
    /** Fields that no schema names stay. */
    preserve_unknown_fields: Type.Boolean({ default: true }),
    /** Values stand in no message. */
    protect_sensitive_data: Type.Boolean({ default: true }),
  },
  closed,
);

const Field = Type.Object(
  {
    field_type: Type.Enum([...FIELD_TYPES]),
    /** Default false. */
    required: Type.Optional(Type.Boolean()),
    default_value: Type.Optional(Anything),
    validators: Type.Optional(Type.Array(ValidationRule)),
  },
  closed,
);
export type SchemaField = Static<typeof Field>;

export const COMPATIBILITIES = ["BackwardCompatible", "ForwardCompatible", "BreakingChange"] as const;

export const SchemaFile = Type.Object(
  {
    version: Name,
    /** Of the fields; a file may leave it out. */
    hash: Type.Optional(Type.String()),
    created_at: Type.Optional(Type.String()),
    fields: Type.Record(Name, Field, { default: {} }),
    compatibility: Type.Enum([...COMPATIBILITIES], { default: "BackwardCompatible" }),
    /** Versions between the ones before and this, in order. */
    migration_path: Type.Array(Name, { default: [] }),
    dependencies: Type.Array(Name, { default: [] }),
    metadata: Type.Record(Type.String(), Anything, { default: {} }),
    /** Storage keys to which the schema applies, with `*`. */
    applies_to: Type.Array(Name, { default: ["*"] }),
    transformations: Type.Array(Transformation, { default: [] }),
  },
  closed,
);

export type Schema = Static<typeof SchemaFile>;
export type Transformation = Static<typeof Transformation> & { to_schema_version: string };
