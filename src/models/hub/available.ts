/** What can be had: the catalogue, and what the Hub finds for a query. */
import type { Backend } from "../service.ts";
import type { StoredModel } from "../store/store.ts";
import { CATALOGUE, catalogued } from "./catalogue.ts";
import { fileSets, sizeOf } from "./choose.ts";
import { listRepository, searchHub } from "./huggingface.ts";
import type { Hubs } from "./settings.ts";

export interface AvailableModel {
  /** What `model pull` takes. */
  id: string;
  /** `llamacpp` when absent. */
  backend?: Backend;
  repository: string;
  recommended: boolean;
  installed: boolean;
  about?: string;
  /** Smallest first where the sizes are known. */
  quantizations?: { name: string; sizeBytes?: number }[];
  parameterCount?: number;
  downloads?: number;
  /** Access must be asked for. */
  gated?: boolean;
}

const MOST_FOUND = 20;

/** The recommended models. Touches no network. */
export function recommended(stored: readonly StoredModel[]): AvailableModel[] {
  return CATALOGUE.map(({ name, repository, about }) => ({
    id: name,
    repository,
    recommended: true,
    installed: isInstalled(stored, name, repository),
    about,
  }));
}

/**
 * @param query words to look for, or `owner/repo` (or a name of the catalogue) for its files and their sizes
 * @throws network, provider, not_found, timeout, permission_denied
 */
export async function findAvailable(
  query: string,
  hubs: Hubs,
  stored: readonly StoredModel[],
  signal: AbortSignal | undefined,
): Promise<AvailableModel[]> {
  const entry = catalogued(query);
  if (entry === undefined && !/^[^/\s]+\/[^/\s]+$/.test(query)) {
    const found = await searchHub(hubs.http, hubs.huggingFace, query, MOST_FOUND, signal);
    return found.map(({ repository, quantizations, parameterCount, downloads, gated }) => ({
      id: repository,
      repository,
      recommended: CATALOGUE.some((each) => each.repository === repository),
      installed: isInstalled(stored, repository, repository),
      quantizations: quantizations.map((name) => ({ name })),
      ...(parameterCount === undefined ? {} : { parameterCount }),
      ...(downloads === undefined ? {} : { downloads }),
      gated,
    }));
  }
  const repository = entry?.repository ?? query;
  const { files } = await listRepository(hubs.http, hubs.huggingFace, repository, signal);
  return [
    {
      id: entry?.name ?? repository,
      repository,
      recommended: entry !== undefined,
      installed: isInstalled(stored, entry?.name ?? repository, repository),
      ...(entry === undefined ? {} : { about: entry.about }),
      quantizations: fileSets(files).map((set) => ({
        name: set.quantization ?? set.stem,
        sizeBytes: sizeOf(set),
      })),
    },
  ];
}

function isInstalled(stored: readonly StoredModel[], name: string, repository: string): boolean {
  return stored.some(
    ({ id, manifest }) =>
      id.toLowerCase().startsWith(`${name.toLowerCase()}:`) ||
      manifest?.source?.startsWith(`huggingface:${repository}@`) === true,
  );
}
