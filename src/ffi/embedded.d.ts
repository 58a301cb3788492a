/** Resolved by `build.ts` to the target's libraries, embedded in the executable. */
declare module "native:llama" {
  export const files: { name: string; path: string }[];
  /** `hashLibrarySet` of the files. */
  export const hash: string;
}
