/** Seeded random weights under two names: the one of GGUF files and the one that Hugging Face checkpoints have. */
import type { Tensor, TensorType } from "./gguf.ts";
import { around, bell, uniform } from "./random.ts";
import type { PublishedTensor } from "./safetensors.ts";

export interface Weight {
  name: string;
  publishedName: string;
  /** Row length first. */
  shape: readonly number[];
  /** Conversion leaves these in F32. */
  keepsF32: boolean;
  values: Float32Array;
}

export class Weights {
  readonly all: Weight[] = [];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = uniform(seed);
  }

  matrix(
    name: string,
    publishedName: string,
    [columns, rows]: readonly [number, number],
    { scale = 1 / Math.sqrt(columns), keepsF32 = false } = {},
  ): void {
    const values = bell(this.random, columns * rows, scale);
    this.all.push({ name, publishedName, shape: [columns, rows], keepsF32, values });
  }

  vector(name: string, publishedName: string, length: number, middle: number): void {
    const values = around(this.random, length, middle);
    this.all.push({ name, publishedName, shape: [length], keepsF32: true, values });
  }

  tensors(type: TensorType): Tensor[] {
    return this.all.map(({ name, shape, keepsF32, values }) => ({
      name,
      shape,
      type: keepsF32 ? "F32" : type,
      values,
    }));
  }

  published(type: PublishedTensor["type"]): PublishedTensor[] {
    return this.all.map(({ publishedName, shape, values }) => ({
      name: publishedName,
      shape: [...shape].reverse(),
      type,
      values,
    }));
  }
}
