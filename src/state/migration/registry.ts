/** The schemas of a directory: JSON and TOML files. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { Value } from "typebox/value";
import { parseToml } from "../../config/toml.ts";
import { messageOf, SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import { type Schema, SchemaFile, type Transformation } from "./schema.ts";
import { compareVersions, parseVersion } from "./version.ts";

export class SchemaRegistry {
  private readonly schemas = new Map<string, Schema>();

  /** @throws SpellError invalid_argument, already_exists: the rules of spec/agents-workflows-rag.md section 9.4 */
  register(schema: Schema): void {
    const version = parseVersion(schema.version);
    const refuse = (rule: string) =>
      new SpellError("invalid_argument", `Cannot register schema ${schema.version}: ${rule}`);
    if (this.find(schema.version) !== undefined)
      throw new SpellError("already_exists", `Cannot register schema ${schema.version}: it is there already`);
    if (version.major >= 1 && Object.keys(schema.fields).length === 0) throw refuse("it has no fields");
    if (schema.dependencies.includes(schema.version)) throw refuse("it depends on itself");
    for (const text of [
      ...schema.migration_path,
      ...schema.dependencies,
      ...schema.transformations.flatMap((one) => [
        one.from_schema_version,
        one.to_schema_version ?? schema.version,
      ]),
    ])
      parseVersion(text);
    const strange = schema.transformations.find(
      ({ to_schema_version: to = schema.version }) => to !== schema.version,
    );
    if (strange !== undefined) throw refuse(`it has a transformation to ${strange.to_schema_version}`);
    const path = pathsOf(schema).find((text) => text.split(".").includes("__proto__"));
    if (path !== undefined) throw refuse(`no field can have the name "${path}"`);
    this.schemas.set(schema.version, schema);
  }

  /** Oldest first. */
  versions(): string[] {
    return [...this.schemas.keys()].sort((a, b) => compareVersions(parseVersion(a), parseVersion(b)));
  }

  get latest(): string | undefined {
    return this.versions().at(-1);
  }

  find(version: string): Schema | undefined {
    return this.schemas.get(version);
  }

  /** @throws SpellError not_found, invalid_argument (no version) */
  require(version: string): Schema {
    parseVersion(version);
    const found = this.find(version);
    if (found !== undefined) return found;
    const versions = this.versions();
    throw new SpellError("not_found", `No schema for version ${version}`, {
      data: { version },
      hint: didYouMean(version, versions) ?? `There are: ${versions.join(", ") || "none"}`,
    });
  }

  transformations(): Transformation[] {
    return [...this.schemas.values()].flatMap(({ version, transformations }) =>
      transformations.map((one) => ({ ...one, to_schema_version: version })),
    );
  }

  transformation(from: string, to: string): Transformation | undefined {
    return this.transformations().find(
      (one) => one.from_schema_version === from && one.to_schema_version === to,
    );
  }
}

function pathsOf({ fields, transformations }: Schema): string[] {
  const named = transformations.flatMap(({ field_transforms }) =>
    field_transforms.flatMap((transform) =>
      Object.entries(transform).flatMap(([key, value]) =>
        /^(from|to)_fields?$|^field$/.test(key) ? [value as string | string[]].flat() : [],
      ),
    ),
  );
  return [...Object.keys(fields), ...named];
}

/** An absent directory holds none. @throws SpellError config (a file that is no schema), io */
export function readSchemas(directory: string): SchemaRegistry {
  const registry = new SchemaRegistry();
  for (const name of schemaFiles(directory)) {
    const path = join(directory, name);
    try {
      registry.register(parseSchema(textOf(path), path));
    } catch (error) {
      if (!(error instanceof SpellError) || error.code === "io") throw error;
      throw new SpellError("config", `Cannot use schema file ${path}: ${error.message}`, {
        data: { path },
        cause: error,
      });
    }
  }
  for (const version of registry.versions())
    for (const needed of registry.require(version).dependencies)
      if (registry.find(needed) === undefined)
        throw new SpellError(
          "config",
          `Cannot use schema ${version}: it depends on ${needed}, which is not in ${directory}`,
        );
  return registry;
}

function schemaFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => [".json", ".toml"].includes(extname(name).toLowerCase()))
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError("Cannot read the schemas in", directory, error);
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("Cannot read the schema file", path, error);
  }
}

function parseSchema(text: string, path: string): Schema {
  let document: unknown;
  try {
    document = extname(path).toLowerCase() === ".json" ? JSON.parse(text) : parseToml(text, path);
  } catch (error) {
    throw new SpellError("config", messageOf(error));
  }
  const filled = Value.Default(SchemaFile, document);
  if (Value.Check(SchemaFile, filled)) return filled;
  throw new SpellError("config", problemOf(Value.Errors(SchemaFile, filled)));
}

type SchemaError = ReturnType<typeof Value.Errors>[number];

/** The deepest is what was meant; of a form among several only its place can be told. */
function problemOf(errors: readonly SchemaError[]): string {
  const unknown = errors.find(({ keyword }) => keyword === "additionalProperties");
  const choice = errors.find(({ keyword }) => keyword === "anyOf");
  const depth = ({ instancePath }: SchemaError) => instancePath.split("/").length;
  const error = choice ?? unknown ?? errors.toSorted((a, b) => depth(b) - depth(a))[0]!;
  const place = error.instancePath.slice(1).replaceAll("/", ".");
  const named = place === "" ? "the file" : `"${place}"`;
  switch (error.keyword) {
    case "anyOf":
      return `${named} has none of the known forms: see its "type" and fields`;
    case "additionalProperties":
      return `${named} has an unknown key: ${(error.params as { additionalProperties: string[] }).additionalProperties.join(", ")}`;
    case "enum":
      return `${named} must be one of ${(error.params as { allowedValues: unknown[] }).allowedValues.join(", ")}`;
    default:
      return `${named} ${error.message}`;
  }
}
