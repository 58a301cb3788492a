declare module "wasmoon/dist/glue.wasm" {
  const path: string;
  export default path;
}
