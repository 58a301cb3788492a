/** A set of native libraries that lie in one directory and find each other there. */
export interface LibraryFile {
  name: string;
  path: string;
  /** The file at `path` is compressed (zstd); its size when it is not. */
  bytes?: number;
}

/** Names of ggml's backend libraries for anything but the processor; the group is the backend. */
export const GPU_LIBRARY = /^(?:lib)?ggml-(?!base\b|cpu\b)([a-z]+)(?:-\w+)*\.(?:so|dll)$/;

/** Hex SHA-256 over the names and contents of a set; the build writes it, extraction checks it. */
export async function hashLibrarySet(files: readonly LibraryFile[]): Promise<string> {
  const set = new Bun.CryptoHasher("sha256");
  for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const content = new Bun.CryptoHasher("sha256").update(await Bun.file(file.path).bytes()).digest("hex");
    set.update(`${file.name}\0${content}\n`);
  }
  return set.digest("hex");
}
