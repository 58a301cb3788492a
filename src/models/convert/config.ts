import { join } from "node:path";
import { cannotConvert } from "./failure.ts";
import { type JsonObject, readJsonObject } from "./json-file.ts";

const LARGEST_SIZE = 1 << 24; // of a width or count in any known model, and small enough that products fit
const MOST_TOKENS = 1 << 20; // four times the largest known vocabulary
const MOST_LAYERS = 512; // LLAMA_MAX_LAYERS

/** `config.json` of a model directory. Every value is checked when it is asked for. */
export class ModelConfig {
  readonly path: string;
  private readonly values: JsonObject;

  /** @throws SpellError not_found, io, model_invalid */
  constructor(directory: string) {
    this.path = join(directory, "config.json");
    this.values = readJsonObject(this.path);
  }

  /** A width or count: from 1. */
  size(key: string, fallback?: number, largest = LARGEST_SIZE): number {
    const value = this.values[key] ?? fallback;
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= largest)
      return value as number;
    throw this.wrong(key, `a whole number from 1 to ${largest}`);
  }

  layers(key: string, fallback?: number): number {
    return this.size(key, fallback, MOST_LAYERS);
  }

  get vocabularySize(): number {
    return this.size("vocab_size", undefined, MOST_TOKENS);
  }

  /** A small number above 0: an epsilon. */
  epsilon(key: string): number {
    const value = this.values[key];
    if (typeof value === "number" && value > 0 && value < 1) return value;
    throw this.wrong(key, "a number between 0 and 1");
  }

  /** The number of a token; undefined where none is stated. */
  token(key: string, vocabularySize: number): number | undefined {
    const value = this.values[key] ?? undefined;
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabularySize)
      return value as number;
    throw this.wrong(key, `a token from 0 to ${vocabularySize - 1}`);
  }

  text(key: string, fallback: string): string {
    const value = this.values[key] ?? fallback;
    if (typeof value === "string") return value;
    throw this.wrong(key, "a text");
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.values[key] ?? fallback;
    if (typeof value === "boolean") return value;
    throw this.wrong(key, "true or false");
  }

  /** The first entry of `architectures`. */
  get architecture(): string | undefined {
    const { architectures } = this.values;
    const first = Array.isArray(architectures) ? architectures[0] : undefined;
    return typeof first === "string" ? first : undefined;
  }

  get modelType(): string | undefined {
    const { model_type: type } = this.values;
    return typeof type === "string" ? type : undefined;
  }

  private wrong(key: string, rule: string): Error {
    const shown = (JSON.stringify(this.values[key]) ?? "it is missing").slice(0, 80);
    return cannotConvert(`"${key}" must be ${rule}: ${shown}`, this.path);
  }
}
