/**
 * How model ids and directories of the store belong together: `llama3.1:8b` lies in `llama3.1/8b/` and `owner/repo:Q8_0`
 * in `owner--repo/Q8_0/`, since Windows allows no colon in a name. The reference's `llama3.1:8b/` is read as well.
 */
import { SpellError } from "../../core/errors.ts";

export interface ModelId {
  /** One or two segments: `tinyllama`, `owner/repo`. */
  name: string;
  variant: string;
}

const SEGMENT = /^(?!.*--)[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
const OWNER = "--";
/** Names that Windows keeps for devices, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** A quantization at the end of a file name: `model.Q4_K_M.gguf`, `model-f16.gguf`, `model-UD-Q4_K_XL.gguf`. */
const QUANTIZATION = /(?:^|[./_-])((?:UD-)?(?:I?Q\d\w*|TQ\d_\d)|MXFP4\w*|B?F16|FP16|F32)$/i;
/** One file of a model that llama-gguf-split has cut. */
const PART = /-(\d{5})-of-(\d{5})$/;

export function formatId({ name, variant }: ModelId): string {
  return `${name}:${variant}`;
}

/**
 * `name[:variant]` of a model that is to be stored.
 * @param variant taken where the text names none
 * @throws invalid_argument for names that make no directory
 */
export function parseNewId(text: string, variant: string): ModelId {
  const colon = text.lastIndexOf(":");
  const id =
    colon === -1
      ? { name: text.trim(), variant }
      : { name: text.slice(0, colon), variant: text.slice(colon + 1) };
  if (isModelId(id)) return id;
  throw new SpellError("invalid_argument", `Invalid model spec '${text}'`, {
    data: { model: text },
    hint: "A name is [owner/]name[:variant] of letters, digits, dots, single hyphens, plus signs and underscores",
  });
}

/** Whether name and variant make directories, on every system. */
export function isModelId({ name, variant }: ModelId): boolean {
  const segments = [...name.split("/"), variant];
  return segments.length <= 3 && segments.every(isSegment);
}

const isSegment = (text: string): boolean => SEGMENT.test(text) && !DEVICE.test(text) && !text.endsWith(".");

/** The directory below the store's root, as segments. */
export function segmentsOf({ name, variant }: ModelId): [name: string, variant: string] {
  return [name.replace("/", OWNER), variant];
}

/** The id of a directory with a model in it, from its one or two segments below the root. */
export function idOfSegments(segments: readonly string[]): string {
  const [name, variant] = segments;
  if (variant === undefined) return name!;
  return variant.includes(":") ? `${name}/${variant}` : `${name!.replace(OWNER, "/")}:${variant}`;
}

/** A file name, or a path, without extension and part number. */
export function stemOf(fileName: string): string {
  return fileName.replace(/\.gguf$/i, "").replace(PART, "");
}

/** Which part of a split set a file is, by its name; undefined for a whole model. */
export function splitPart(fileName: string): { stem: string; number: number; count: number } | undefined {
  const found = PART.exec(fileName.replace(/\.gguf$/i, ""));
  if (found === null) return undefined;
  return { stem: stemOf(fileName), number: Number(found[1]), count: Number(found[2]) };
}

/** The quantization at the end of a stem, as people write it; undefined for none. */
export function quantizationOf(stem: string): string | undefined {
  return QUANTIZATION.exec(stem)?.[1]?.toUpperCase().replace("FP16", "F16");
}

/** `-00001-of-00003` for the first of three parts, as llama-gguf-split names them; llama.cpp finds the others by it. */
export function partSuffix(index: number, count: number): string {
  const five = (n: number) => String(n).padStart(5, "0");
  return `-${five(index + 1)}-of-${five(count)}`;
}

/** The file of a model in the store, or one part of it. */
export function storedName({ name }: ModelId, index: number, count: number): string {
  const stem = safeName(name.split("/").at(-1)!);
  return `${stem}${count === 1 ? "" : partSuffix(index, count)}.gguf`;
}

/** A name for a directory or a file out of any text. */
export function safeName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._+-]+|--+/g, "-").replace(/^[^A-Za-z0-9]+|[.-]+$/g, "");
  return isSegment(name) ? name : "model";
}

/** Name and variant that a file's own name suggests: `tinyllama-1.1b.Q4_K_M.gguf` is `tinyllama-1.1b` in `Q4_K_M`. */
export function suggestId(fileName: string, quantization: string | undefined): ModelId {
  const stem = stemOf(fileName);
  const found = QUANTIZATION.exec(stem);
  const name = safeName(found === null ? stem : stem.slice(0, found.index));
  return { name, variant: quantization ?? quantizationOf(stem) ?? "default" };
}
