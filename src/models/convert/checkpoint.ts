/** The tensors of a model directory: one safetensors file, or several that an index lists. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cannotConvert } from "./failure.ts";
import { isObject, readJsonObject } from "./json-file.ts";
import { readSafetensors, type StoredTensor } from "./safetensors.ts";

export type Checkpoint = ReadonlyMap<string, StoredTensor>;

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** @throws SpellError not_found, io, model_invalid: no safetensors file, a damaged one, or an index that does not fit */
export function readCheckpoint(directory: string): Checkpoint {
  const index = join(directory, INDEX);
  return existsSync(index) ? readShards(directory, index) : readSafetensors(join(directory, SINGLE));
}

/** Whether the directory holds weights in this format. */
export function hasCheckpoint(directory: string): boolean {
  return [SINGLE, INDEX].some((name) => existsSync(join(directory, name)));
}

function readShards(directory: string, index: string): Checkpoint {
  const { weight_map: map } = readJsonObject(index);
  if (!isObject(map)) throw cannotConvert(`it has no "weight_map"`, index);
  const places = Object.entries(map);
  const names = new Set(places.map(([tensor, file]) => shardName(tensor, file, index)));

  const tensors = new Map<string, StoredTensor>();
  for (const name of names) {
    const path = join(directory, name);
    if (!existsSync(path))
      throw cannotConvert(`the part ${name} is missing of the ${names.size} that the index names`, directory);
    for (const tensor of readSafetensors(path).values()) {
      if (map[tensor.name] !== name)
        throw cannotConvert(`tensor "${tensor.name}" is in ${name}, where the index does not have it`, index);
      tensors.set(tensor.name, tensor);
    }
  }
  const absent = places.find(([tensor]) => !tensors.has(tensor));
  if (absent !== undefined)
    throw cannotConvert(
      `tensor "${absent[0]}" is not in ${String(absent[1])}, where the index has it`,
      index,
    );
  return tensors;
}

/** A file beside the index: nothing else is opened because an index names it. */
function shardName(tensor: string, file: unknown, index: string): string {
  if (typeof file === "string" && /^(?!\.)[\w.-]{1,200}\.safetensors$/.test(file)) return file;
  throw cannotConvert(`tensor "${tensor}" has no file beside the index: ${JSON.stringify(file)}`, index);
}
