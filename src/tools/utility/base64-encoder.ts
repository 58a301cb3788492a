import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { missingParameter } from "../parameters.ts";
import { choice, defineTool, type ToolContext, type ToolOutcome } from "../tool.ts";

type Variant = "standard" | "url-safe";

const parameters = Type.Object({
  operation: choice(["encode", "decode"], "encode or decode"),
  input: Type.Optional(Type.String({ description: "The text to encode, or the Base64 to decode" })),
  input_file: Type.Optional(Type.String({ description: "Path of a file to take instead of input" })),
  output_file: Type.Optional(Type.String({ description: "Path of a file to write the result to" })),
  variant: Type.Optional(choice(["standard", "url-safe"], "Alphabet: + and /, or - and _", "standard")),
  binary_input: Type.Optional(
    Type.Boolean({ description: "For encode: input is the hex form of the bytes", default: false }),
  ),
});

const alphabetOf = (variant: Variant) => (variant === "url-safe" ? "base64url" : "base64");

function toBase64(bytes: Uint8Array, variant: Variant): string {
  return bytes.toBase64({ alphabet: alphabetOf(variant) });
}

/** Blanks and line ends are skipped, padding may be missing (RFC 4648 sections 3.2 and 3.3). */
function fromBase64(text: string, variant: Variant): Uint8Array {
  try {
    return Uint8Array.fromBase64(text, { alphabet: alphabetOf(variant) });
  } catch (cause) {
    throw new SpellError(
      "invalid_argument",
      `Cannot decode Base64: the input is not valid ${variant} Base64`,
      {
        cause,
        hint: 'See the variant parameter: "standard" or "url-safe"',
      },
    );
  }
}

function fromHex(text: string): Uint8Array {
  try {
    return Uint8Array.fromHex(text.replaceAll(/\s/g, ""));
  } catch (cause) {
    throw new SpellError("invalid_argument", "Cannot encode: binary_input is set, but the input is not hex", {
      cause,
    });
  }
}

/** Text where the bytes are UTF-8, else hex. */
function readable(bytes: Uint8Array): { output: string; binary: boolean } {
  try {
    return {
      output: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
      binary: false,
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { output: bytes.toHex(), binary: true };
  }
}

interface Input {
  input?: string | Uint8Array;
  input_file?: string;
}

async function inputOf(params: Input, ctx: ToolContext): Promise<Uint8Array> {
  const { input, input_file } = params;
  if (input !== undefined) return typeof input === "string" ? new TextEncoder().encode(input) : input;
  if (input_file !== undefined) return ctx.can.files.read(input_file);
  throw missingParameter("input");
}

async function store(
  ctx: ToolContext,
  operation: "encode" | "decode",
  path: string,
  data: Uint8Array | string,
  variant: Variant,
): Promise<ToolOutcome> {
  await ctx.can.files.write(path, data);
  const file = { file_path: path, file_size: data.length, variant };
  return {
    operation,
    message: `${operation === "encode" ? "Encoded" : "Decoded"} to ${path}`,
    result: file,
    metadata: file,
  };
}

export const tool = defineTool({
  name: "base64-encoder",
  aliases: ["base64_encoder"],
  description: "Encodes and decodes Base64. Text, files and hex input; standard and URL-safe alphabet.",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters,
  accepts: { names: { data: "input" }, bytes: ["input"] },
  resultDoc: [
    "- `encode`: `{output, encoded, variant, binary}`",
    "- `decode`: `{output, decoded, variant, binary}`; bytes that are no UTF-8 text come as hex with `binary = true`",
    "- with `output_file`: `{file_path, file_size, variant}`",
  ].join("\n"),
  style: "envelope",
  needs: ["files"],
  isPure: ({ input_file, output_file }) => input_file === undefined && output_file === undefined,
  limits: { memoryBytes: 400_000_000 },
  examples: [
    {
      title: "Encode a text",
      params: { operation: "encode", input: "Hello" },
      result: { output: "SGVsbG8=" },
    },
    {
      title: "Decode it again",
      params: { operation: "decode", input: "SGVsbG8=" },
      result: { output: "Hello" },
    },
  ],
  primary: ({ result }) => {
    const { output, file_path } = result as { output?: string; file_path?: string };
    return output ?? file_path;
  },
  async execute(params, ctx) {
    const { operation, output_file } = params;
    const variant = params.variant ?? "standard";
    const given = await inputOf(params, ctx);
    if (operation === "encode") {
      const binary = params.binary_input === true && params.input !== undefined;
      const output = toBase64(binary ? fromHex(new TextDecoder().decode(given)) : given, variant);
      if (output_file !== undefined) return store(ctx, operation, output_file, output, variant);
      return { operation, result: { output, encoded: output, variant, binary } };
    }
    const bytes = fromBase64(new TextDecoder().decode(given), variant);
    if (output_file !== undefined) return store(ctx, operation, output_file, bytes, variant);
    const { output, binary } = readable(bytes);
    return { operation, result: { output, decoded: output, variant, binary } };
  },
});
