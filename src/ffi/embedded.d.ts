/** Resolved by `build.ts` to the target's libraries, embedded in the executable, compressed. */
declare module "native:llama" {
  export const files: { name: string; path: string; bytes: number }[];
  /** `hashLibrarySet` of the files when they are not compressed. */
  export const hash: string;
}
