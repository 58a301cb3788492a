import { Type } from "typebox";
import { blake3Hasher } from "../../core/blake3.ts";
import { SpellError } from "../../core/errors.ts";
import type { FileAccess } from "../../security/capabilities.ts";
import { missingParameter } from "../parameters.ts";
import { choice, defineTool, type ToolContext } from "../tool.ts";

const MAX_FILE_BYTES = 100_000_000;
const ALGORITHMS = ["md5", "sha1", "sha256", "sha384", "sha512", "blake3"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const parameters = Type.Object({
  operation: choice(["hash", "verify"], "hash: calculate; verify: compare with expected_hash"),
  algorithm: Type.Optional(
    Type.String({
      description: `One of ${ALGORITHMS.join(", ")}; anything else counts as sha256`,
      default: "sha256",
    }),
  ),
  input: Type.Optional(Type.String({ description: "The text to hash" })),
  input_type: Type.Optional(
    choice(["string", "file"], "Whether input or file is hashed; file where only file is given"),
  ),
  file: Type.Optional(Type.String({ description: "Path of the file to hash, at most 100 MB" })),
  format: Type.Optional(choice(["hex", "base64"], "How the hash is written", "hex")),
  expected_hash: Type.Optional(Type.String({ description: "For verify: the hash it should have" })),
  expected_format: Type.Optional(choice(["hex", "base64"], "How expected_hash is written", "hex")),
});

interface Hasher {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
}

async function createHasher(algorithm: Algorithm): Promise<Hasher> {
  return algorithm === "blake3" ? blake3Hasher() : new Bun.CryptoHasher(algorithm);
}

/** `SHA-256` and `sha256` are the same; an unknown name means sha256. */
function algorithmOf(name: string): Algorithm {
  const plain = name.toLowerCase().replaceAll("-", "");
  return ALGORITHMS.find((known) => known === plain) ?? "sha256";
}

async function hashText(hasher: Hasher, input: string | Uint8Array): Promise<void> {
  hasher.update(typeof input === "string" ? new TextEncoder().encode(input) : input);
}

async function hashFile(hasher: Hasher, files: FileAccess, path: string): Promise<void> {
  for await (const chunk of files.stream(path, MAX_FILE_BYTES)) hasher.update(chunk);
}

type Params = { input?: string; input_type?: "string" | "file"; file?: string };

async function digest(params: Params, algorithm: Algorithm, ctx: ToolContext): Promise<Uint8Array> {
  const hasher = await createHasher(algorithm);
  const fromFile =
    (params.input_type ?? (params.input === undefined && params.file !== undefined ? "file" : "string")) ===
    "file";
  if (fromFile) {
    if (params.file === undefined) throw missingParameter("file");
    await hashFile(hasher, ctx.can.files, params.file);
  } else {
    if (params.input === undefined) throw missingParameter("input");
    await hashText(hasher, params.input);
  }
  return hasher.digest();
}

const write = (bytes: Uint8Array, format: "hex" | "base64") =>
  format === "hex" ? bytes.toHex() : bytes.toBase64();

function read(text: string, format: "hex" | "base64"): Uint8Array {
  try {
    return format === "hex" ? Uint8Array.fromHex(text.trim()) : Uint8Array.fromBase64(text.trim());
  } catch (cause) {
    throw new SpellError("invalid_argument", `Invalid expected_hash: it is not ${format}: ${text}`, {
      cause,
      hint: 'Set expected_format to "hex" or "base64"',
    });
  }
}

export const tool = defineTool({
  name: "hash-calculator",
  aliases: ["hash_calculator"],
  description:
    "Calculates hashes of text or files. Algorithms: md5, sha1, sha256, sha384, sha512, blake3; can verify too.",
  category: "utility",
  level: "restricted",
  version: "1.0.0",
  parameters,
  accepts: { names: { data: "input" }, bytes: ["input"] },
  resultDoc: [
    "- `hash`: `{algorithm, hash, format}`",
    "- `verify`: `{verified, algorithm, expected, actual}`; a mismatch is no failure",
  ].join("\n"),
  style: "envelope",
  needs: ["files"],
  isPure: ({ file }) => file === undefined,
  examples: [
    {
      title: "SHA-256 of a text",
      params: { operation: "hash", algorithm: "sha256", input: "abc" },
      result: { hash: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    },
    {
      title: "Compare with a known hash",
      params: {
        operation: "verify",
        algorithm: "md5",
        input: "abc",
        expected_hash: "900150983cd24fb0d6963f7d28e17f72",
      },
      result: { verified: true },
    },
  ],
  primary: ({ result }) => {
    const { hash, verified } = result as { hash?: string; verified?: boolean };
    return hash ?? verified;
  },
  async execute(params, ctx) {
    const algorithm = algorithmOf(params.algorithm ?? "sha256");
    if (params.operation === "hash") {
      const format = params.format ?? "hex";
      const hash = write(await digest(params, algorithm, ctx), format);
      return {
        operation: "hash",
        message: `Calculated the ${algorithm} hash`,
        result: { algorithm, hash, format },
      };
    }
    if (params.expected_hash === undefined) throw missingParameter("expected_hash");
    const format = params.expected_format ?? "hex";
    const expected = write(read(params.expected_hash, format), format);
    const actual = write(await digest(params, algorithm, ctx), format);
    const verified = actual === expected;
    return {
      operation: "verify",
      message: verified ? "The hash matches" : "The hash does not match",
      result: { verified, algorithm, expected, actual },
    };
  },
});
