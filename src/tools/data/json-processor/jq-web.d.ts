/** The package has no types. Both files are embedded: the script as text, the module as a file. */
declare module "jq-web/jq.js" {
  const source: string;
  export default source;
}

declare module "jq-web/jq.wasm" {
  const path: string;
  export default path;
}
