/** The Hugging Face Hub: its API (https://huggingface.co/docs/hub/api) gives files with sizes and digests. */
import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { TARGET_TYPES, type TargetType } from "../convert/floats.ts";
import { quantizationOf, safeName, stemOf, storedName } from "../store/layout.ts";
import { chooseSet, type FileSet, fileSets } from "./choose.ts";
import type { HubHttp, Target } from "./http.ts";
import type { HubOptions, PullPlan, RemoteFile } from "./plan.ts";
import { read } from "./read.ts";
import type { PullReference } from "./reference.ts";

const Revision = Type.Object({
  sha: Type.String({ pattern: "^[0-9a-f]{40}$" }),
  cardData: Type.Optional(Type.Union([Type.Null(), Type.Object({ license: Type.Optional(Type.Unknown()) })])),
  safetensors: Type.Optional(
    Type.Object({ parameters: Type.Optional(Type.Record(Type.String(), Type.Number())) }),
  ),
});
const Tree = Type.Array(
  Type.Object({
    type: Type.String(),
    path: Type.String(),
    size: Type.Optional(Type.Integer({ minimum: 0 })),
    oid: Type.String(),
    lfs: Type.Optional(
      Type.Object({
        oid: Type.String({ pattern: "^[0-9a-f]{64}$" }),
        size: Type.Integer({ minimum: 0 }),
      }),
    ),
  }),
);

/** A file of a repository at one commit. */
export interface RepositoryFile {
  path: string;
  sizeBytes: number;
  file: Omit<RemoteFile, "name">;
}

export interface Repository {
  commit: string;
  licence: string | undefined;
  /** How many numbers of each type its safetensors hold: `{ F32: 60506624 }`. */
  parameters: Readonly<Record<string, number>>;
  files: RepositoryFile[];
}

const REVISION = "main";
const MOST_PAGES = 50;
/** What a converter reads besides the weights. */
const CONVERTER_FILE =
  /^(config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|generation_config|modules|model\.safetensors\.index)\.json$|^(README\.md|1_Pooling\/config\.json|spiece\.model|tokenizer\.model|sentencepiece\.bpe\.model|vocab\.txt)$/;
const WEIGHTS = /^model(-\d{5}-of-\d{5})?\.safetensors$/;

/** @throws not_found, provider, network, timeout, permission_denied */
export async function listRepository(
  http: HubHttp,
  { base, token }: HubOptions,
  repository: string,
  signal: AbortSignal | undefined,
): Promise<Repository> {
  const target = (path: string, what: string): Target => ({
    url: new URL(`${base.href.replace(/\/$/, "")}${path}`),
    what,
    token,
    accept: "application/json",
  });
  const about = target(`/api/models/${repository}/revision/${REVISION}`, `the model ${repository}`);
  const { sha, cardData, safetensors } = read(Revision, about, (await http.json(about, signal)).value);
  const files: RepositoryFile[] = [];
  let next: Target | undefined = target(
    `/api/models/${repository}/tree/${sha}?recursive=true`,
    `the file list of ${repository}`,
  );
  for (let page = 0; next !== undefined && page < MOST_PAGES; page++) {
    const { value, headers } = await http.json(next, signal);
    for (const { type, path, size, oid, lfs } of read(Tree, next, value)) {
      if (type !== "file") continue;
      const sizeBytes = lfs?.size ?? size ?? 0;
      const escaped = path.split("/").map(encodeURIComponent).join("/");
      files.push({
        path,
        sizeBytes,
        file: {
          sizeBytes,
          digest:
            lfs === undefined ? { algorithm: "git-sha1", hex: oid } : { algorithm: "sha256", hex: lfs.oid },
          url: target(`/${repository}/resolve/${sha}/${escaped}`, path).url.href,
        },
      });
    }
    next = following(next, headers);
  }
  return {
    commit: sha,
    licence: typeof cardData?.license === "string" ? cardData.license : undefined,
    parameters: safetensors?.parameters ?? {},
    files,
  };
}

/** The next page, where it is one of the same server. */
function following(target: Target, headers: Headers): Target | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get("link") ?? "")?.[1];
  const url = link === undefined ? null : URL.parse(link, target.url.href);
  return url === null || url.origin !== target.url.origin ? undefined : { ...target, url };
}

/** @param preferred quantization taken where the reference names none */
export async function planHuggingFace(
  http: HubHttp,
  options: HubOptions,
  reference: Extract<PullReference, { hub: "huggingface" }>,
  preferred: string | undefined,
  signal: AbortSignal | undefined,
): Promise<PullPlan> {
  const { name, repository, wanted } = reference;
  const listed = await listRepository(http, options, repository, signal);
  const sets = fileSets(listed.files);
  const common = {
    source: `huggingface:${repository}@${listed.commit}`,
    ...(listed.licence === undefined ? {} : { licence: listed.licence }),
    token: options.token,
    extras: [],
  };
  if (sets.length === 0) {
    const directory = safeName(repository.split("/").at(-1)!);
    const files = converterFiles(listed.files, repository, directory);
    const type = targetType(listed, repository, wanted);
    return { ...common, id: { name, variant: type }, files, convert: { directory, type } };
  }
  const set = chooseSet(sets, repository, wanted, preferred);
  const id = { name, variant: variantOf(set, sets) };
  const files = set.files.map(({ file }, i) => ({ ...file, name: storedName(id, i, set.files.length) }));
  return { ...common, id, files };
}

/** The quantization where it tells sets apart, else the file's name. */
function variantOf(set: FileSet<RepositoryFile>, sets: readonly FileSet<RepositoryFile>[]): string {
  const alike = sets.filter(({ quantization }) => quantization === set.quantization);
  const stem = safeName(set.stem.split("/").at(-1)!);
  return set.quantization !== undefined && alike.length === 1 ? safeName(set.quantization) : stem;
}

/** What is asked for, else BF16 where the weights are that, else F16. @throws not_found for a quantization */
function targetType({ parameters }: Repository, repository: string, wanted: string | undefined): TargetType {
  const types = Object.keys(TARGET_TYPES) as TargetType[];
  const most = Object.entries(parameters).sort(([, a], [, b]) => b - a)[0]?.[0];
  if (wanted === undefined) return most === "BF16" ? "BF16" : "F16";
  const type = types.find((each) => each === wanted.toUpperCase());
  if (type !== undefined) return type;
  throw new SpellError("not_found", `Cannot pull ${repository}: it has no ${wanted}`, {
    data: { repository, quantizations: types },
    hint: `It has safetensors only, which become one of ${types.join(", ")}`,
  });
}

function converterFiles(
  files: readonly RepositoryFile[],
  repository: string,
  directory: string,
): RemoteFile[] {
  const weights = files.filter(({ path }) => WEIGHTS.test(path));
  const whole = weights.filter(({ path }) => path === "model.safetensors");
  if (weights.length === 0 || !files.some(({ path }) => path === "config.json")) {
    throw new SpellError(
      "not_found",
      `Cannot pull ${repository}: it holds no GGUF file and no safetensors model`,
      {
        data: { repository, files: files.map(({ path }) => path).slice(0, 20) },
        hint: "Look for a repository with GGUF files: llmspell model available NAME",
      },
    );
  }
  const others = files.filter(({ path }) => CONVERTER_FILE.test(path));
  return [...others, ...(whole.length > 0 ? whole : weights)].map(({ path, file }) => ({
    ...file,
    name: `${directory}/${path}`,
  }));
}

const Found = Type.Array(
  Type.Object({
    id: Type.String(),
    downloads: Type.Optional(Type.Number()),
    gated: Type.Optional(Type.Unknown()),
    siblings: Type.Optional(Type.Array(Type.Object({ rfilename: Type.String() }))),
    gguf: Type.Optional(Type.Object({ total: Type.Optional(Type.Number()) })),
  }),
);

export interface FoundRepository {
  repository: string;
  quantizations: string[];
  downloads: number | undefined;
  parameterCount: number | undefined;
  gated: boolean;
}

/** Repositories with GGUF files, most downloaded first. */
export async function searchHub(
  http: HubHttp,
  { base, token }: HubOptions,
  query: string,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<FoundRepository[]> {
  const url = new URL(`${base.href.replace(/\/$/, "")}/api/models`);
  const parameters = {
    search: query,
    filter: "gguf",
    sort: "downloads",
    direction: "-1",
    limit: String(limit),
  };
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
  for (const field of ["siblings", "downloads", "gated", "gguf"]) url.searchParams.append("expand[]", field);
  const target: Target = { url, what: `models like "${query}"`, token, accept: "application/json" };
  return read(Found, target, (await http.json(target, signal)).value).map((found) => ({
    repository: found.id,
    quantizations: [
      ...new Set((found.siblings ?? []).flatMap(({ rfilename }) => quantizationOfFile(rfilename) ?? [])),
    ],
    downloads: found.downloads,
    parameterCount: found.gguf?.total,
    gated: Boolean(found.gated),
  }));
}

function quantizationOfFile(path: string): string | undefined {
  return /\.gguf$/i.test(path) ? quantizationOf(stemOf(path)) : undefined;
}
