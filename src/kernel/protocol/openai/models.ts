/** `GET /v1/models`. */
import type { LocalModel } from "../../../models/service.ts";

export function modelList(models: readonly LocalModel[]): object {
  return { object: "list", data: models.map(modelObject) };
}

export function modelObject({ id, modifiedAt = 0 }: LocalModel): object {
  return { id, object: "model", created: Math.floor(modifiedAt), owned_by: "local" };
}
