/** PLACEHOLDER until the config work lands. */
export interface Config {
  default_engine: string;
  // biome-ignore lint: replaced by the schema
  [key: string]: any;
}
