import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseToml } from "../../../src/config/toml.ts";
import { Place } from "./fixture.ts";

const MAIN = join(import.meta.dir, "../../../src/main.ts");

async function run(place: Place, args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: place.cwd,
    env: { ...place.env, PATH: process.env.PATH!, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

describe("config init", () => {
  test("writes a documented file that changes nothing, and never replaces one unasked", async () => {
    using place = new Place();
    const first = await run(place, ["config", "init"]);
    expect(first.code).toBe(0);
    expect(first.out).toStartWith("✓ Created configuration file: llmspell.toml\n");
    expect(first.out).toMatch(/1\. .*\n {2}2\. .*API keys.*\n {2}3\. .*config validate.*\n {2}4\. .*run/);

    const loaded = await place.load({ configPath: "llmspell.toml" });
    const defaults = await place.load({ cwd: place.root });
    expect(loaded.config).toEqual(defaults.config);
    expect([...loaded.explicit.keys()]).toEqual(["default_engine"]);
    expect(loaded.warnings).toEqual([]);

    const again = await run(place, ["config", "init"]);
    expect(again.code).toBe(1);
    expect(again.err).toContain(
      "Configuration file already exists: llmspell.toml. Use --force to overwrite.",
    );
    place.write("work/llmspell.toml", "");
    expect((await run(place, ["config", "init", "--force"])).code).toBe(0);
    expect(readFileSync(join(place.cwd, "llmspell.toml"), "utf8")).toContain("[runtime.security]");
  });

  test("shows every key with its default: set as shown, all of them are valid and change nothing", async () => {
    using place = new Place();
    const { out } = await run(place, ["config", "generate"]);
    const example = out.indexOf("# A provider of your own");
    const text = out.slice(0, example) + out.slice(out.indexOf("\n\n", example));
    let live = true;
    const set: string[] = [];
    for (const line of text.split("\n")) {
      const header = /^(# )?\[[\w.]+\]$/.exec(line);
      if (header) live = header[1] === undefined;
      const shown = /^# (\w+ = .*)$/.exec(line)?.[1];
      if (live && shown !== undefined && !/…|" \| "/.test(shown)) set.push(shown);
      else if (!line.startsWith("#")) set.push(line);
    }
    const loaded = await place.toml(set.join("\n"));
    expect(loaded.config).toEqual((await place.load()).config);
    expect(loaded.explicit.has("protocols.jupyter.validate_signatures")).toBe(true);
    expect(loaded.explicit.size).toBeGreaterThan(200);
  });
});

describe("config validate", () => {
  test("accepts a valid file, with warnings", async () => {
    using place = new Place();
    place.write("work/c.toml", "[runtime.security]\nallow_network_access = false\n");
    const { out, code } = await run(place, ["config", "validate", "--file", "c.toml"]);
    expect(code).toBe(0);
    expect(out).toBe(
      "Configuration validation:\n  File: c.toml\n  Status: ✓ Valid\n\nWarnings:\n" +
        "  - No provider is configured; agents use the built-in local model\n  - Network access is disabled\n",
    );
  });

  test("lists all errors of an invalid one as JSON and exits 1", async () => {
    using place = new Place();
    place.write("work/c.toml", '[kernel]\nport = "x"\nmax_clients = 0\nprot = 1\n');
    const { out, code } = await run(place, ["--output", "json", "config", "validate", "-f", "c.toml"]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      valid: false,
      path: "c.toml",
      warnings: ['Unknown key kernel.prot is ignored. Did you mean "port"?'],
      errors: [
        "Configuration validation failed in field 'kernel.port': expected an integer, got \"x\" (c.toml:2)",
        "Configuration validation failed in field 'kernel.max_clients': must be greater than 0: 0 (c.toml:3)",
      ],
    });
  });

  test("says where TOML is wrong", async () => {
    using place = new Place();
    place.write("work/c.toml", "a = 1\nb = = 2\n");
    const { out, err, code } = await run(place, ["config", "validate", "-f", "c.toml"]);
    expect(code).toBe(1);
    expect(out).toContain("Status: ✗ Invalid");
    expect(out).toMatch(/c\.toml:2:\d+/);
    expect(err).toContain("Configuration validation failed");
  });
});

describe("config show", () => {
  const KEYED = '[providers.p]\nprovider_type = "openai"\napi_key = "sk-0123456789abcdef"\n';

  test("shows all as TOML that reads back to the same, with secrets masked", async () => {
    using place = new Place();
    place.write("work/c.toml", KEYED);
    const { out, code } = await run(place, ["-c", "c.toml", "config", "show"]);
    expect(code).toBe(0);
    expect(out).toStartWith("Full configuration:\n\n");
    const shown = parseToml(out.slice(out.indexOf("\n\n")), "shown");
    const { config } = await place.load({ configPath: "c.toml" });
    expect(shown).toEqual({
      ...config,
      providers: { p: { ...(config.providers.p as object), api_key: "sk-…cdef" } },
    });
  });

  test("shows one section as JSON, and secrets only when asked", async () => {
    using place = new Place();
    place.write("work/c.toml", KEYED);
    const masked = await run(place, ["-c", "c.toml", "--output", "json", "config", "show", "providers"]);
    expect(JSON.parse(masked.out).p.api_key).toBe("sk-…cdef");
    const clear = await run(place, [
      "-c",
      "c.toml",
      "config",
      "show",
      "--section",
      "providers",
      "--format",
      "json",
      "--show-secrets",
    ]);
    expect(clear.out).toStartWith("Configuration section: providers\n\n{");
    expect(JSON.parse(clear.out.slice(clear.out.indexOf("{"))).p.api_key).toBe("sk-0123456789abcdef");
  });

  test("refuses an unknown section with the list and the nearest", async () => {
    using place = new Place();
    const { err, code } = await run(place, ["config", "show", "runtim"]);
    expect(code).toBe(2);
    expect(err).toContain(
      'Unknown section: "runtim". Sections: engines, providers, runtime, tools, hooks, events',
    );
    expect(err).toContain('"runtime"');
  });
});

describe("config list-profiles and show-profile", () => {
  test("list the profiles by group", async () => {
    using place = new Place();
    const { out } = await run(place, ["config", "list-profiles"]);
    expect(out).toStartWith("Available Builtin Profiles:\n\nCore\n  minimal - ");
    for (const heading of ["\nCommon Workflows\n", "\nLocal LLM\n", "\nRAG\n"])
      expect(out).toContain(heading);
    const detailed = await run(place, ["config", "list-profiles", "-d"]);
    expect(detailed.out).toContain("Use Cases:");
    expect(detailed.out).toContain("Key Features:");
    const json = JSON.parse((await run(place, ["--output", "json", "config", "list-profiles"])).out);
    expect(json).toHaveLength(10);
    expect(Object.keys(json[0])).toEqual(["name", "category", "description", "use_cases", "features"]);
  });

  test("show the TOML of one", async () => {
    using place = new Place();
    const { out } = await run(place, ["config", "show-profile", "candle"]);
    expect(parseToml(out, "shown")).toMatchObject({ providers: { llamacpp: { device: "auto" } } });
  });
});

describe("config trust", () => {
  const ASKING = "[runtime.security]\nallow_file_access = true\n";

  test("makes a found file count, untrust takes it back, and both say what changes", async () => {
    using place = new Place();
    place.write("work/llmspell.toml", ASKING);
    const access = async () => {
      const { out, err } = await run(place, ["--output", "json", "config", "show", "runtime"]);
      return {
        allowed: JSON.parse(out).security.allow_file_access,
        warned: err.includes("llmspell config trust"),
      };
    };
    expect(await access()).toEqual({ allowed: false, warned: true });
    const trusted = await run(place, ["config", "trust"]);
    expect(trusted.out).toContain("✓ Trusted: ");
    expect(trusted.out).toContain("  - runtime.security.allow_file_access");
    expect(await access()).toEqual({ allowed: true, warned: false });
    expect((await run(place, ["config", "untrust", "llmspell.toml"])).out).toContain("✓ No longer trusted: ");
    expect(await access()).toEqual({ allowed: false, warned: true });
  });

  test("works for two processes at once on a fresh home", async () => {
    using place = new Place();
    place.write("work/llmspell.toml", ASKING);
    const codes = await Promise.all([1, 2].map(() => run(place, ["config", "trust"])));
    expect(codes.map(({ code }) => code)).toEqual([0, 0]);
    expect((await place.load()).ignoredUntrusted).toEqual([]);
  });

  test("without a file in the current directory says so", async () => {
    using place = new Place();
    const { err, code } = await run(place, ["config", "trust"]);
    expect(code).toBe(1);
    expect(err).toContain("No configuration file was found in the current directory");
  });
});
