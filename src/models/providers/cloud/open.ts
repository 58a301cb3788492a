/** Models of cloud providers, and of whatever speaks OpenAI's format. */
import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import type { SpellModel } from "../../service.ts";
import { type CloudRequest, Connection } from "./connection.ts";
import { cloudEmbedding } from "./embedding.ts";
import { cloudModel } from "./model.ts";

/** Asks no network. @throws config for an address that is none */
export function openCloud(request: CloudRequest): SpellModel {
  return cloudModel(new Connection(request));
}

/** @throws config for an address that is none, or a vendor without vectors */
export function openCloudEmbedding(request: CloudRequest): Promise<EmbeddingModelV4> {
  return cloudEmbedding(new Connection(request));
}
