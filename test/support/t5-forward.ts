/**
 * T5's forward pass in plain double precision, after Raffel et al. (2020) and transformers' `T5ForConditionalGeneration`:
 * what llama.cpp computes from a converted file is compared with what this computes from the published one.
 */
import { type Matrix, readTestCheckpoint, type TestCheckpoint } from "./checkpoint.ts";

type Rows = Float64Array[];

export class T5Forward {
  private readonly checkpoint: TestCheckpoint;
  private readonly heads: number;
  private readonly headWidth: number;
  private readonly epsilon: number;
  private readonly isGated: boolean;
  private readonly isTied: boolean;

  /**
   * @param directory with config.json and model.safetensors
   * @param activation the GELU of gated models
   */
  constructor(
    directory: string,
    private readonly activation: (x: number) => number = gelu,
  ) {
    this.checkpoint = readTestCheckpoint(directory);
    const { config } = this.checkpoint;
    this.heads = config.num_heads as number;
    this.headWidth = config.d_kv as number;
    this.epsilon = config.layer_norm_epsilon as number;
    this.isGated = config.feed_forward_proj === "gated-gelu";
    this.isTied = config.tie_word_embeddings as boolean;
  }

  /** The encoder's states of a text. */
  encode(tokens: readonly number[]): Rows {
    const layers = this.checkpoint.config.num_layers as number;
    let states = this.embed(tokens);
    const bias = this.positionBias("encoder", tokens.length, true);
    for (let i = 0; i < layers; i++) {
      const block = `encoder.block.${i}.layer`;
      states = this.attend(`${block}.0`, "SelfAttention", states, undefined, bias);
      states = this.feedForward(`${block}.1`, states);
    }
    return this.norm("encoder.final_layer_norm", states);
  }

  /** The logits after each token of an answer, which begins with the decoder's start token. */
  logits(encoded: Rows, tokens: readonly number[]): Rows {
    const layers = this.checkpoint.config.num_decoder_layers as number;
    let states = this.embed(tokens);
    const bias = this.positionBias("decoder", tokens.length, false);
    for (let i = 0; i < layers; i++) {
      const block = `decoder.block.${i}.layer`;
      states = this.attend(`${block}.0`, "SelfAttention", states, undefined, bias);
      states = this.attend(`${block}.1`, "EncDecAttention", states, encoded, () => 0);
      states = this.feedForward(`${block}.2`, states);
    }
    states = this.norm("decoder.final_layer_norm", states);
    if (!this.isTied) return product(states, this.checkpoint.tensor("lm_head.weight"));
    const scale = (this.checkpoint.config.d_model as number) ** -0.5;
    const scaled = states.map((row) => row.map((x) => x * scale));
    return product(scaled, this.checkpoint.tensor("shared.weight"));
  }

  /** What the decoder chooses, each time the most likely token, until `end` or `most` tokens. */
  greedy(text: readonly number[], start: number, end: number, most: number): number[] {
    const encoded = this.encode(text);
    const tokens = [start];
    while (tokens.length <= most) {
      const last = this.logits(encoded, tokens).at(-1)!;
      tokens.push(last.indexOf(Math.max(...last)));
      if (tokens.at(-1) === end) break;
    }
    return tokens.slice(1);
  }

  private embed(tokens: readonly number[]): Rows {
    const { columns, values } = this.checkpoint.tensor("shared.weight");
    return tokens.map((token) => values.slice(token * columns, (token + 1) * columns));
  }

  private norm(name: string, states: Rows): Rows {
    const weight = this.checkpoint.tensor(`${name}.weight`).values;
    return states.map((row) => {
      const meanSquare = row.reduce((sum, x) => sum + x * x, 0) / row.length;
      return row.map((x, i) => (x / Math.sqrt(meanSquare + this.epsilon)) * weight[i]!);
    });
  }

  /** Adds to `states` what they gather from `memory`, or from themselves; scores are not scaled. */
  private attend(
    layer: string,
    module: string,
    states: Rows,
    memory: Rows | undefined,
    bias: (head: number, query: number, key: number) => number,
  ): Rows {
    const normed = this.norm(`${layer}.layer_norm`, states);
    const from = memory ?? normed;
    const project = (rows: Rows, part: string) =>
      product(rows, this.checkpoint.tensor(`${layer}.${module}.${part}.weight`));
    const [queries, keys, values] = [project(normed, "q"), project(from, "k"), project(from, "v")] as const;
    const gathered = queries.map((query, i) => {
      const out = new Float64Array(query.length);
      for (let head = 0; head < this.heads; head++) {
        const start = head * this.headWidth;
        const scores = keys.map((key, j) => dot(query, key, start, this.headWidth) + bias(head, i, j));
        softmax(scores).forEach((share, j) => {
          for (let d = start; d < start + this.headWidth; d++) out[d]! += share * values[j]![d]!;
        });
      }
      return out;
    });
    return sum(states, project(gathered, "o"));
  }

  private feedForward(layer: string, states: Rows): Rows {
    const normed = this.norm(`${layer}.layer_norm`, states);
    const project = (rows: Rows, part: string) =>
      product(rows, this.checkpoint.tensor(`${layer}.DenseReluDense.${part}.weight`));
    const inner = this.isGated
      ? project(normed, "wi_0").map((row, i) => {
          const linear = project([normed[i]!], "wi_1")[0]!;
          return row.map((x, d) => this.activation(x) * linear[d]!);
        })
      : project(normed, "wi").map((row) => row.map((x) => Math.max(0, x)));
    return sum(states, project(inner, "wo"));
  }

  /** The bias of a stack's first block, which all its blocks use. A decoder looks back only. */
  private positionBias(stack: "encoder" | "decoder", length: number, isBidirectional: boolean) {
    const table = this.checkpoint.tensor(
      `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`,
    );
    const buckets = Array.from({ length }, (_, query) =>
      Array.from({ length }, (_, key) => this.bucket(key - query, isBidirectional)),
    );
    return (head: number, query: number, key: number) =>
      !isBidirectional && key > query
        ? Number.NEGATIVE_INFINITY
        : table.values[buckets[query]![key]! * table.columns + head]!;
  }

  private bucket(distance: number, isBidirectional: boolean): number {
    const { config } = this.checkpoint;
    const total = config.relative_attention_num_buckets as number;
    const most = config.relative_attention_max_distance as number;
    const buckets = isBidirectional ? total / 2 : total;
    const side = isBidirectional && distance > 0 ? buckets : 0;
    const far = isBidirectional ? Math.abs(distance) : Math.max(0, -distance);
    const exact = Math.floor(buckets / 2);
    if (far < exact) return side + far;
    const large = exact + Math.floor((Math.log(far / exact) / Math.log(most / exact)) * (buckets - exact));
    return side + Math.min(large, buckets - 1);
  }
}

/** The tanh form, `gelu_new`. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** As ggml has it on the CPU: from a table of 16-bit numbers. */
export function tabledGelu(x: number): number {
  if (Math.abs(x) >= 10) return Math.max(0, x);
  return Math.f16round(gelu(Math.f16round(x)));
}

function softmax(scores: readonly number[]): number[] {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

function dot(a: Float64Array, b: Float64Array, start: number, length: number): number {
  let total = 0;
  for (let i = start; i < start + length; i++) total += a[i]! * b[i]!;
  return total;
}

/** Rows times a weight matrix as PyTorch stores it: a row of it gives one output. */
function product(rows: Rows, { rows: outputs, columns, values }: Matrix): Rows {
  return rows.map((row) =>
    Float64Array.from({ length: outputs }, (_, o) => dot(row, values.subarray(o * columns), 0, columns)),
  );
}

function sum(a: Rows, b: Rows): Rows {
  return a.map((row, i) => row.map((x, d) => x + b[i]![d]!));
}
