import { defaultOf } from "../../src/config/decode.ts";
import { ROOT } from "../../src/config/node.ts";
import type { Config } from "../../src/config/schema.ts";
import type { ConfigService } from "../../src/kernel/services.ts";

/** The default configuration, changed; `explicit` lists the paths that count as set by a file. */
export function configWith(
  change: (config: Config) => void = () => {},
  explicit: string[] = [],
): ConfigService {
  const current = defaultOf(ROOT) as Config;
  change(current);
  return {
    current,
    source: "test",
    isExplicit: (path) => explicit.includes(path),
    update: (apply) => apply(current),
  };
}
