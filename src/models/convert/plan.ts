import type { Checkpoint } from "./checkpoint.ts";
import { cannotConvert } from "./failure.ts";
import { SOURCE_TYPES, type SourceType } from "./floats.ts";
import type { Entry } from "./gguf-writer.ts";
import type { StoredTensor } from "./safetensors.ts";

export interface PlannedTensor {
  /** The name in the GGUF file. */
  name: string;
  source: StoredTensor & { dtype: SourceType };
  /** Written as F32 whatever the file's type is. */
  isF32: boolean;
  /** Every value is multiplied by it. */
  factor?: number;
}

/** What becomes of a directory. */
export interface Plan {
  /** Metadata besides those of every model (`general.*`). */
  entries: Entry[];
  tensors: PlannedTensor[];
}

/** Takes tensors out of a checkpoint one by one, each with the shape that the configuration gives it. */
export class TensorPlan {
  readonly tensors: PlannedTensor[] = [];
  private readonly taken = new Set<string>();

  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly directory: string,
    private readonly prefix = "",
  ) {}

  has(name: string): boolean {
    return this.checkpoint.has(this.prefix + name);
  }

  /**
   * @param names of the tensor in the checkpoint, the first that is there counts
   * @param shape as PyTorch has it: rows first
   * @param more type rules, as convert_hf_to_gguf.py has them, where they are not those of the name
   * @throws SpellError model_invalid: missing, another shape, another type of numbers
   */
  take(
    names: string | readonly string[],
    name: string,
    shape: readonly number[],
    more: Partial<PlannedTensor> = {},
  ): void {
    const candidates = typeof names === "string" ? [names] : names;
    const found = candidates.find((candidate) => this.has(candidate));
    if (found === undefined)
      throw cannotConvert(`the tensor "${this.prefix}${candidates[0]}" is missing`, this.directory);
    const source = this.checkpoint.get(this.prefix + found)!;
    if (source.shape.length !== shape.length || source.shape.some((n, i) => n !== shape[i]))
      throw cannotConvert(
        `tensor "${source.name}" is ${source.shape.join(" × ")} where config.json makes it ${shape.join(" × ")}`,
        this.directory,
      );
    if (!hasNumbers(source))
      throw cannotConvert(
        `tensor "${source.name}" is ${source.dtype}, not one of ${SOURCE_TYPES.join(", ")}`,
        this.directory,
        "Quantised checkpoints cannot be converted: take the original one",
      );
    this.taken.add(source.name);
    // vectors and norms are F32 for all of llama.cpp's operations
    const isF32 = shape.length === 1 || name.endsWith("_norm.weight") || !name.endsWith(".weight");
    this.tensors.push({ name, source, isF32, ...more });
  }

  /** @throws SpellError model_invalid where a tensor was not taken and is not known to be superfluous */
  refuseRest(superfluous: RegExp): void {
    for (const name of this.checkpoint.keys()) {
      const own = name.startsWith(this.prefix) ? name.slice(this.prefix.length) : name;
      if (!this.taken.has(name) && !superfluous.test(own))
        throw cannotConvert(`tensor "${name}" has no place in a model of its architecture`, this.directory);
    }
  }
}

function hasNumbers(source: StoredTensor): source is StoredTensor & { dtype: SourceType } {
  return (SOURCE_TYPES as readonly string[]).includes(source.dtype);
}
