/** `POST /v1/embeddings` and `POST /v1/rerank`. */
import { type Static, Type } from "typebox";
import { badRequest, type Fields, readAs } from "./read.ts";
import { type Refused, supportedFields } from "./settings.ts";

const MAX_INPUTS = 2048;

const EmbeddingsRequest = Type.Object(
  {
    model: Type.String({ minLength: 1 }),
    input: Type.Union([
      Type.String({ minLength: 1 }),
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: MAX_INPUTS }),
    ]),
    encoding_format: Type.Optional(Type.Enum(["float", "base64"])),
  },
  { additionalProperties: false },
);

const EMBEDDINGS_REFUSED: Refused = {
  dimensions: { only: [], hint: "Leave it out: a local model has one size" },
};

export interface EmbeddingsCall {
  model: string;
  values: string[];
  encoding: "float" | "base64";
}

/** @throws SpellError invalid_argument, the parameter in `data.param` */
export function embeddingsCall(fields: Fields): EmbeddingsCall {
  const { input: given } = fields;
  if (Array.isArray(given) && given.some((item) => typeof item === "number" || Array.isArray(item)))
    throw badRequest('"input" must be text; tokens are not supported', "input");
  const { model, input, encoding_format } = readAs(
    EmbeddingsRequest,
    supportedFields(fields, EMBEDDINGS_REFUSED),
  );
  return { model, values: [input].flat(), encoding: encoding_format ?? "float" };
}

export function embeddingsAnswer(
  { encoding }: EmbeddingsCall,
  model: string,
  embeddings: readonly (readonly number[])[],
  tokens: number,
): object {
  return {
    object: "list",
    data: embeddings.map((embedding, index) => ({
      object: "embedding",
      index,
      embedding: encoding === "base64" ? base64Of(embedding) : embedding,
    })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Single-precision numbers, little-endian, one after another. */
function base64Of(embedding: readonly number[]): string {
  const bytes = Buffer.alloc(embedding.length * 4);
  embedding.forEach((value, i) => {
    bytes.writeFloatLE(value, i * 4);
  });
  return bytes.toString("base64");
}

const RerankRequest = Type.Object(
  {
    model: Type.String({ minLength: 1 }),
    query: Type.String({ minLength: 1 }),
    documents: Type.Array(Type.String(), { minItems: 1, maxItems: MAX_INPUTS }),
    top_n: Type.Optional(Type.Integer({ minimum: 1 })),
    return_documents: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RerankCall = Static<typeof RerankRequest>;

/** @throws SpellError invalid_argument, the parameter in `data.param` */
export function rerankCall(fields: Fields): RerankCall {
  return readAs(RerankRequest, supportedFields(fields, {}));
}

export function rerankAnswer(
  { documents, return_documents }: RerankCall,
  model: string,
  ranking: readonly { index: number; relevanceScore: number }[],
  tokens: number,
): object {
  return {
    object: "list",
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    results: ranking.map(({ index, relevanceScore }) => ({
      index,
      relevance_score: relevanceScore,
      ...(return_documents === true ? { document: { text: documents[index] } } : {}),
    })),
  };
}
