import { SpellError } from "../core/errors.ts";
import type { ConfigService } from "../kernel/services.ts";
import { decode } from "./decode.ts";
import { completeProviders, type LoadedConfig } from "./load.ts";
import { ROOT } from "./node.ts";
import { isSet } from "./report.ts";
import { checkRules } from "./rules.ts";
import type { Config } from "./schema.ts";
import { replaceWords } from "./spellings.ts";
import { getPath, splitPath, type Tree } from "./tree.ts";

/** The configuration of one process; changes live as long as it does. */
export function createConfigService(loaded: LoadedConfig): ConfigService {
  let current = loaded.config;
  const explicit = new Map(loaded.explicit);

  return {
    get current() {
      return current;
    },
    source: loaded.source,
    isExplicit: (path) => isSet(explicit, path),
    update(change) {
      const draft = structuredClone(current);
      change(draft);
      const { config, set } = validated(draft);
      for (const path of set) {
        const keys = splitPath(path);
        const unchanged = Bun.deepEquals(getPath(config as never, keys), getPath(current as never, keys));
        if (!unchanged) explicit.set(path, "script");
      }
      current = config;
    },
  };
}

/** @throws config for the first value that breaks a rule */
function validated(draft: Config): { config: Config; set: string[] } {
  const set: string[] = [];
  const problem = (path: string, reason: string) => {
    throw new SpellError("config", `Configuration validation failed in field '${path}': ${reason}`, {
      data: { path },
    });
  };
  const tree = draft as unknown as Tree;
  replaceWords(tree, { warn: () => {} });
  const config = decode(ROOT, tree, [], {
    set: (path) => set.push(path),
    problem,
    unknown: (path) => problem(path, "is no configuration key"),
    expand: (text) => text,
  }) as Config;
  completeProviders(config);
  checkRules(config, { problem });
  return { config, set };
}
