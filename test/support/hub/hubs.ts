/** The Hugging Face Hub and Ollama's registry as they speak on the wire, both with their files on a second origin. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Fault, json, LoopbackServer, sendFile } from "./server.ts";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const PAGE = 3;

export interface Repository {
  files: Readonly<Record<string, Uint8Array>>;
  licence?: string;
  /** What the Hub counts in its safetensors. */
  parameters?: Readonly<Record<string, number>>;
  /** The token that opens it. */
  gatedBy?: string;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
const isLarge = (path: string): boolean => /\.(gguf|safetensors|model)$/.test(path);

/** Where both hubs keep large files; names are digests, addresses are signed. */
export class BlobServer extends LoopbackServer {
  readonly blobs = new Map<string, Uint8Array>();
  /** What `ETag` says of a blob; its digest where none is set. */
  etag: string | undefined;

  constructor() {
    super((request, response) => this.send(request, response));
  }

  put(bytes: Uint8Array): string {
    const digest = sha256(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  url(digest: string): string {
    return `${this.origin}/blobs/${digest}?X-Amz-Signature=abc`;
  }

  /** Sends so many bytes of a file and then cuts the connection. */
  cutAfter(bytes: number): Fault {
    return (request, response) =>
      this.send(request, response, (slice) => {
        response.write(slice.subarray(0, bytes), () => setTimeout(() => response.socket?.destroy(), 20));
      });
  }

  /** Sends so many bytes of a file and then nothing. */
  stallAfter(bytes: number): Fault {
    return (request, response) =>
      this.send(request, response, (slice) => void response.write(slice.subarray(0, bytes)));
  }

  private send(request: IncomingMessage, response: ServerResponse, send?: (slice: Uint8Array) => void): true {
    const digest = /^\/blobs\/([0-9a-f]{64})\?X-Amz-Signature=abc$/.exec(request.url ?? "")?.[1];
    const bytes = this.blobs.get(digest ?? "");
    if (bytes === undefined) return json(response, 403, { error: "SignatureDoesNotMatch" });
    return sendFile(request, response, bytes, this.etag ?? `"${digest}"`, send);
  }
}

/** https://huggingface.co/docs/hub/api, and the redirects of `resolve`. */
export class HuggingFaceServer extends LoopbackServer {
  constructor(
    private readonly repositories: Readonly<Record<string, Repository>>,
    private readonly blobs: BlobServer,
  ) {
    super((request, response) => this.reply(request, response));
    for (const { files } of Object.values(repositories))
      for (const [path, bytes] of Object.entries(files)) if (isLarge(path)) blobs.put(bytes);
  }

  private reply(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.origin);
    if (url.pathname === "/api/models") {
      json(response, 200, this.search(url.searchParams));
      return;
    }
    const found = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.+))?$/.exec(
      url.pathname,
    );
    const [, name = "", kind, revision, path = ""] = found ?? [];
    const repository = this.repositories[name];
    const token = request.headers.authorization?.replace("Bearer ", "");
    if (repository === undefined) {
      json(
        response,
        token === undefined ? 401 : 404,
        { error: "Repository not found" },
        { "x-error-code": "RepoNotFound" },
      );
    } else if (kind === "resolve" && repository.gatedBy !== undefined && token !== repository.gatedBy) {
      const message = `Access to model ${name} is restricted`;
      json(response, token === undefined ? 401 : 403, { error: message }, { "x-error-code": "GatedRepo" });
    } else if (kind === "revision" && revision === "main") {
      json(response, 200, {
        _id: "65",
        id: name,
        sha: COMMIT,
        private: false,
        gated: repository.gatedBy === undefined ? false : "manual",
        cardData: repository.licence === undefined ? null : { license: repository.licence },
        ...(repository.parameters && {
          safetensors: { parameters: repository.parameters, total: Object.values(repository.parameters)[0] },
        }),
      });
    } else if (kind === "tree" && revision === COMMIT) this.tree(url, name, repository, response);
    else if (kind === "resolve" && revision === COMMIT)
      this.resolve(repository.files[decodeURIComponent(path)], path, request, response);
    else json(response, 404, { error: "Entry not found" }, { "x-error-code": "EntryNotFound" });
  }

  private tree(url: URL, name: string, { files }: Repository, response: ServerResponse): void {
    const entries = Object.entries(files).map(([path, bytes]) => ({
      type: "file",
      oid: gitSha1(isLarge(path) ? Buffer.from("version https://git-lfs.github.com/spec/v1\n") : bytes),
      size: bytes.length,
      path,
      ...(isLarge(path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    const directories = [
      ...new Set(
        Object.keys(files)
          .filter((p) => p.includes("/"))
          .map((p) => p.split("/")[0]!),
      ),
    ];
    const all = [
      ...directories.map((path) => ({ type: "directory", oid: COMMIT, size: 0, path })),
      ...entries,
    ];
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const next = `${this.origin}/api/models/${name}/tree/${COMMIT}?recursive=true&cursor=${from + PAGE}`;
    const headers = from + PAGE < all.length ? { link: `<${next}>; rel="next"` } : {};
    json(response, 200, all.slice(from, from + PAGE), headers);
  }

  private resolve(
    bytes: Uint8Array | undefined,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (bytes === undefined)
      json(response, 404, { error: "Entry not found" }, { "x-error-code": "EntryNotFound" });
    else if (!isLarge(path)) sendFile(request, response, bytes, `"${gitSha1(bytes)}"`);
    else {
      const digest = sha256(bytes);
      response.writeHead(302, {
        location: this.blobs.url(digest),
        "x-repo-commit": COMMIT,
        "x-linked-size": bytes.length,
        "x-linked-etag": `"${digest}"`,
      });
      response.end();
    }
  }

  private search(query: URLSearchParams): unknown[] {
    const words = (query.get("search") ?? "").toLowerCase();
    return Object.entries(this.repositories)
      .filter(([name, { files }]) => {
        const isGguf = Object.keys(files).some((path) => path.endsWith(".gguf"));
        return name.toLowerCase().includes(words) && (query.get("filter") !== "gguf" || isGguf);
      })
      .slice(0, Number(query.get("limit")))
      .map(([name, { files, gatedBy }], i) => ({
        _id: String(i),
        id: name,
        downloads: 1000 - i,
        gated: gatedBy === undefined ? false : "auto",
        siblings: Object.keys(files).map((rfilename) => ({ rfilename })),
        gguf: { total: 4_517_120, architecture: "llama" },
      }));
  }
}

export interface OllamaModel {
  model: Uint8Array;
  template?: string;
  license?: string;
  params?: string;
}

/** https://registry.ollama.ai: manifests of the Docker kind, blobs behind a redirect. */
export class OllamaServer extends LoopbackServer {
  /** @param models by `library/name:tag` */
  constructor(
    private readonly models: Readonly<Record<string, OllamaModel>>,
    private readonly blobs: BlobServer,
  ) {
    super((request, response) => this.reply(request, response));
  }

  private reply(request: IncomingMessage, response: ServerResponse): void {
    const [, name, kind, reference = ""] =
      /^\/v2\/([^/]+\/[^/]+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? "") ?? [];
    const model = this.models[`${name}:${reference}`];
    if (kind === "manifests" && model !== undefined) json(response, 200, ollamaManifest(model, this.blobs));
    else if (kind === "blobs" && this.blobs.blobs.has(reference.slice("sha256:".length))) {
      response.writeHead(307, { location: this.blobs.url(reference.slice("sha256:".length)) });
      response.end();
    } else json(response, 404, { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] });
  }
}

/** The manifest of a model, whose layers go to the blobs. */
export function ollamaManifest({ model, template, license, params }: OllamaModel, blobs: BlobServer): object {
  const layer = (kind: string, content: Uint8Array | string | undefined) => {
    if (content === undefined) return [];
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    return [
      {
        mediaType: `application/vnd.ollama.image.${kind}`,
        digest: `sha256:${blobs.put(bytes)}`,
        size: bytes.length,
      },
    ];
  };
  const config = Buffer.from("{}");
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: {
      mediaType: "application/vnd.docker.container.image.v1+json",
      digest: `sha256:${blobs.put(config)}`,
      size: config.length,
    },
    layers: [
      ...layer("model", model),
      ...layer("template", template),
      ...layer("license", license),
      ...layer("params", params),
    ],
  };
}
