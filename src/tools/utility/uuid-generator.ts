import { Type } from "typebox";
import { nowMs, randomId } from "../../core/clock.ts";
import { SpellError } from "../../core/errors.ts";
import { missingParameter } from "../parameters.ts";
import { defineTool, type ToolOutcome } from "../tool.ts";
import { formatUuid, namespaceUuid, parseUuid, uuidV1, uuidV5, variantOf } from "./uuid-generator/uuid.ts";

const MAX_NAME_BYTES = 1_000_000;

const parameters = Type.Object({
  operation: Type.Optional(
    Type.Enum(["generate", "component_id", "deterministic", "custom", "validate"], {
      description: "What to do (generate)",
      default: "generate",
    }),
  ),
  version: Type.Optional(
    Type.Enum(["v1", "v4", "v5"], { description: "v4 random, v1 time, v5 from a name (v4)", default: "v4" }),
  ),
  format: Type.Optional(
    Type.Enum(["hyphenated", "standard", "simple", "urn", "braced"], {
      description: "How to write it (hyphenated)",
      default: "hyphenated",
    }),
  ),
  namespace: Type.Optional(
    Type.String({ description: "For v5: dns, url, oid, x500, agent, tool, workflow, a UUID or any text" }),
  ),
  name: Type.Optional(Type.String({ description: "Name for v5 and deterministic" })),
  prefix: Type.Optional(Type.String({ description: "Prefix for component_id (component) and custom" })),
  suffix: Type.Optional(Type.String({ description: "Suffix for custom" })),
  short: Type.Optional(Type.Boolean({ description: "Eight hex digits only", default: false })),
  timestamp: Type.Optional(
    Type.Boolean({ description: "Put the Unix time into a custom id", default: false }),
  ),
  uuid: Type.Optional(Type.String({ description: "The UUID to validate" })),
});

export const tool = defineTool({
  name: "uuid-generator",
  aliases: ["uuid_generator"],
  description:
    "Generates UUIDs. Versions 1, 4 and 5, ids for components, ids that follow from a name, and validation.",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters,
  accepts: { values: { version: { "1": "v1", "4": "v4", "5": "v5" } } },
  resultDoc: `- **generate**: \`{uuid, version, format}\`
- **component_id**: \`{id, prefix, short}\`; the id is \`<prefix>_<uuid>\`
- **deterministic**: \`{id, namespace, name}\`; the id is \`<namespace>_<uuid>\` with the version 5 UUID of the name
- **custom**: \`{id, timestamp, short}\`; the id is \`<prefix>_<Unix seconds>_<uuid>_<suffix>\`, with the parts asked for
- **validate**: \`{valid, uuid, version, variant}\` or \`{valid, error}\`, also beside \`result\`

A namespace that is neither a known name nor a UUID is turned into one: version 5 of the text in the DNS namespace.`,
  style: "envelope",
  needs: [],
  timeoutMs: 1000,
  primary: ({ result }) => {
    const { uuid, id } = (result ?? {}) as { uuid?: unknown; id?: unknown };
    return uuid ?? id;
  },
  examples: [
    { title: "Random", params: { operation: "generate" }, result: { version: "v4", format: "hyphenated" } },
    {
      title: "From a name",
      params: { version: "v5", namespace: "dns", name: "www.example.com" },
      result: { uuid: "2ed6657d-e927-568b-95e1-2665a8aea6a2" },
    },
    {
      title: "Validate",
      params: { operation: "validate", uuid: "2ed6657d-e927-568b-95e1-2665a8aea6a2" },
      result: { valid: true, version: "v5", variant: "RFC4122" },
    },
  ],
  execute(params): ToolOutcome {
    const { operation = "generate", prefix, suffix, short = false, timestamp = false } = params;
    const random = randomId();
    const id = short ? random.slice(0, 8) : random;
    switch (operation) {
      case "generate": {
        const { version = "v4", format = "hyphenated", namespace = "dns" } = params;
        const uuid =
          version === "v4"
            ? random
            : version === "v1"
              ? uuidV1()
              : uuidV5(nameOf(params.name), namespaceUuid(namespace));
        return { operation, result: { uuid: formatUuid(uuid, format), version, format } };
      }
      case "component_id": {
        const name = prefix ?? "component";
        return { operation, result: { id: `${name}_${id}`, prefix: name, short } };
      }
      case "deterministic": {
        const { namespace = "agent" } = params;
        const name = nameOf(params.name);
        return {
          operation,
          result: { id: `${namespace}_${uuidV5(name, namespaceUuid(namespace))}`, namespace, name },
        };
      }
      case "custom": {
        const time = timestamp ? String(Math.floor(nowMs() / 1000)) : undefined;
        const parts = [prefix, time, id, suffix].filter((part) => part !== undefined && part !== "");
        return { operation, result: { id: parts.join("_"), timestamp, short } };
      }
      case "validate": {
        if (params.uuid === undefined) throw missingParameter("uuid");
        const result = validate(params.uuid);
        return { operation, result, extra: result };
      }
    }
  },
});

function nameOf(name: string | undefined): string {
  if (name === undefined) throw missingParameter("name");
  const bytes = Buffer.byteLength(name);
  if (bytes <= MAX_NAME_BYTES) return name;
  throw new SpellError("limit", `Cannot make a UUID: the name may have ${MAX_NAME_BYTES} bytes: ${bytes}`, {
    data: { limit: "name_bytes", allowed: MAX_NAME_BYTES, used: bytes },
  });
}

function validate(text: string): Record<string, unknown> {
  const uuid = parseUuid(text);
  if (uuid === undefined) return { valid: false, error: `Invalid UUID: ${text.slice(0, 80)}` };
  const variant = variantOf(uuid);
  return { valid: true, uuid, version: variant === "RFC4122" ? `v${uuid[14]}` : null, variant };
}
