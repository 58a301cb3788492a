/** `import path from "./model.gguf" with { type: "file" }`: the path of the file, embedded in the executable. */
declare module "*.gguf" {
  const path: string;
  export default path;
}
