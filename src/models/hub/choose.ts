/** Which of a repository's GGUF files are meant. */
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { quantizationOf, splitPart, stemOf } from "../store/layout.ts";

export interface Listed {
  /** Path in the repository. */
  path: string;
  sizeBytes: number;
}

/** The files of one model: one, or all parts of a split set in order. */
export interface FileSet<F extends Listed> {
  /** `Q4_K_M`; undefined where the name tells none. */
  quantization: string | undefined;
  /** Path without the part number and the extension. */
  stem: string;
  files: F[];
}

/** Taken in this order where nothing is asked for: small ones of good quality first. */
const PREFERRED = [
  "Q4_K_M",
  "Q4_K_S",
  "UD-Q4_K_XL",
  "Q4_0",
  "IQ4_XS",
  "Q5_K_M",
  "Q5_K_S",
  "Q6_K",
  "Q8_0",
  "Q3_K_M",
  "MXFP4",
  "F16",
  "BF16",
  "F32",
];

/** Vision projectors and calibration data are no models of their own. */
const OTHER = /(^|[/._-])(mmproj|imatrix)/i;

/** Complete sets of GGUF files, smallest first. A set with a part missing is left out. */
export function fileSets<F extends Listed>(files: readonly F[]): FileSet<F>[] {
  const sets = new Map<string, { files: F[]; parts: number }>();
  for (const file of files) {
    if (!/\.gguf$/i.test(file.path) || OTHER.test(file.path)) continue;
    const part = splitPart(file.path);
    const key = part === undefined ? file.path : `${part.stem}/${part.count}`;
    const set = sets.get(key) ?? { files: [], parts: part?.count ?? 1 };
    set.files.push(file);
    sets.set(key, set);
  }
  return [...sets.values()]
    .filter((set) => set.files.length === set.parts)
    .map(({ files: parts }) => {
      parts.sort((a, b) => (a.path < b.path ? -1 : 1));
      const stem = stemOf(parts[0]!.path);
      return { quantization: quantizationOf(stem), stem, files: parts };
    })
    .sort((a, b) => sizeOf(a) - sizeOf(b));
}

export const sizeOf = ({ files }: FileSet<Listed>): number =>
  files.reduce((sum, file) => sum + file.sizeBytes, 0);

/**
 * @param wanted a quantization or a file name; undefined: the preferred ones
 * @param preferred the configured quantization
 * @throws not_found, invalid_argument where several fit
 */
export function chooseSet<F extends Listed>(
  sets: readonly FileSet<F>[],
  repository: string,
  wanted: string | undefined,
  preferred: string | undefined,
): FileSet<F> {
  if (wanted !== undefined) return asked(sets, repository, wanted);
  if (sets.length === 1) return sets[0]!;
  for (const quantization of [preferred, ...PREFERRED]) {
    if (quantization === undefined) continue;
    const fitting = sets.filter((set) => isQuantization(set, quantization));
    if (fitting.length === 1) return fitting[0]!;
    if (fitting.length > 1) throw ambiguous(fitting, repository);
  }
  throw ambiguous(sets, repository);
}

const isQuantization = (set: FileSet<Listed>, name: string): boolean =>
  set.quantization?.toLowerCase() === name.toLowerCase();

function asked<F extends Listed>(
  sets: readonly FileSet<F>[],
  repository: string,
  wanted: string,
): FileSet<F> {
  const lower = wanted.toLowerCase();
  const byName = sets.find(({ stem, files }) =>
    [stem, stem.split("/").at(-1)!, ...files.map(({ path }) => path)].some((n) => n.toLowerCase() === lower),
  );
  const fitting = byName === undefined ? sets.filter((set) => isQuantization(set, wanted)) : [byName];
  if (fitting.length === 1) return fitting[0]!;
  if (fitting.length > 1) throw ambiguous(fitting, repository);
  const there = [...new Set(sets.map((set) => set.quantization ?? set.stem))];
  throw new SpellError("not_found", `Cannot pull ${repository}: it has no ${wanted}`, {
    data: { repository, quantizations: there },
    hint: didYouMean(wanted, there) ?? `It has ${there.join(", ")}`,
  });
}

function ambiguous(sets: readonly FileSet<Listed>[], repository: string): SpellError {
  const names = sets.map(({ stem }) => stem.split("/").at(-1)!);
  return new SpellError("invalid_argument", `Cannot choose a file of ${repository}: several fit`, {
    data: { repository, files: sets.flatMap(({ files }) => files.map(({ path }) => path)) },
    hint: `Name one after a colon: ${names.join(", ")}`,
  });
}
