/**
 * BERT's forward pass in double precision, written from the paper (Devlin et al., 2018) and transformers' `BertModel`, on
 * the published names of `model.safetensors`: an independent computation, slow and plain. Token type 0 throughout.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Config {
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  layer_norm_eps: number;
}

type Vector = Float64Array;
/** One row a token. */
type Rows = Vector[];

export class BertReference {
  private readonly config: Config;
  private readonly tensors: ReadonlyMap<string, Float64Array>;

  /** @param directory with `config.json` and `model.safetensors` in F32 */
  constructor(directory: string) {
    this.config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as Config;
    this.tensors = readSafetensors(join(directory, "model.safetensors"));
  }

  /** The state of every token after the last layer. */
  states(tokens: ArrayLike<number>): Rows {
    const { hidden_size: width, num_hidden_layers: layers } = this.config;
    const word = this.tensor("embeddings.word_embeddings.weight");
    const position = this.tensor("embeddings.position_embeddings.weight");
    const kind = this.tensor("embeddings.token_type_embeddings.weight");
    let rows: Rows = Array.from(tokens, (token, at) =>
      Float64Array.from(
        { length: width },
        (_, i) => word[token * width + i]! + position[at * width + i]! + kind[i]!,
      ),
    );
    rows = this.norm(rows, "embeddings.LayerNorm");
    for (let i = 0; i < layers; i++) rows = this.layer(rows, `encoder.layer.${i}`);
    return rows;
  }

  mean(tokens: ArrayLike<number>): Vector {
    const rows = this.states(tokens);
    return rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  }

  first(tokens: ArrayLike<number>): Vector {
    return this.states(tokens)[0]!;
  }

  last(tokens: ArrayLike<number>): Vector {
    return this.states(tokens).at(-1)!;
  }

  /** The logit of `BertForSequenceClassification` with one label. */
  score(tokens: ArrayLike<number>): number {
    const pooled = this.linear([this.first(tokens)], "pooler.dense").map((row) => row.map(Math.tanh));
    return this.linear(pooled, "classifier")[0]![0]!;
  }

  private layer(rows: Rows, name: string): Rows {
    const attended = this.linear(
      this.attention(rows, `${name}.attention.self`),
      `${name}.attention.output.dense`,
    );
    const middle = this.norm(added(attended, rows), `${name}.attention.output.LayerNorm`);
    const inner = this.linear(middle, `${name}.intermediate.dense`).map((row) => row.map(gelu));
    const outer = this.linear(inner, `${name}.output.dense`);
    return this.norm(added(outer, middle), `${name}.output.LayerNorm`);
  }

  private attention(rows: Rows, name: string): Rows {
    const { hidden_size: width, num_attention_heads: heads } = this.config;
    const headWidth = width / heads;
    const [queries, keys, values] = ["query", "key", "value"].map((part) =>
      this.linear(rows, `${name}.${part}`),
    ) as [Rows, Rows, Rows];
    return queries.map((query) => {
      const mixed = new Float64Array(width);
      for (let start = 0; start < width; start += headWidth) {
        const scores = keys.map((key) => {
          let dot = 0;
          for (let i = start; i < start + headWidth; i++) dot += query[i]! * key[i]!;
          return dot / Math.sqrt(headWidth);
        });
        const most = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - most));
        const sum = weights.reduce((a, b) => a + b, 0);
        for (const [at, value] of values.entries())
          for (let i = start; i < start + headWidth; i++) mixed[i]! += (weights[at]! / sum) * value[i]!;
      }
      return mixed;
    });
  }

  private linear(rows: Rows, name: string): Rows {
    const weight = this.tensor(`${name}.weight`);
    const bias = this.tensor(`${name}.bias`);
    return rows.map((row) =>
      bias.map((b, out) => {
        let sum = b;
        for (let i = 0; i < row.length; i++) sum += row[i]! * weight[out * row.length + i]!;
        return sum;
      }),
    );
  }

  private norm(rows: Rows, name: string): Rows {
    const weight = this.tensor(`${name}.weight`);
    const bias = this.tensor(`${name}.bias`);
    return rows.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      const scale = 1 / Math.sqrt(variance + this.config.layer_norm_eps);
      return row.map((x, i) => (x - mean) * scale * weight[i]! + bias[i]!);
    });
  }

  private tensor(name: string): Float64Array {
    const found = this.tensors.get(name) ?? this.tensors.get(`bert.${name}`);
    if (found === undefined) throw new Error(`the model has no tensor ${name}`);
    return found;
  }
}

/** Scaled to length 1. */
export function normalized(vector: Vector): Vector {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}

function added(a: Rows, b: Rows): Rows {
  return a.map((row, at) => row.map((x, i) => x + b[at]![i]!));
}

/** With the error function, as `hidden_act: "gelu"` says; llama.cpp takes the nearness of tanh. */
function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** By its power series; beyond 4 it is 1 to 8 digits. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function readSafetensors(path: string): Map<string, Float64Array> {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Float64Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (dtype !== "F32") throw new Error(`${name} is not F32`);
    const [from, to] = data_offsets;
    const count = (to - from) / 4;
    tensors.set(
      name,
      Float64Array.from({ length: count }, (_, i) => file.readFloatLE(start + from + 4 * i)),
    );
  }
  return tensors;
}
