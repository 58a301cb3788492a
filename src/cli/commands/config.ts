import type { Profile } from "../../config/profiles.ts";
import type { Config } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { initialise, trustFile, untrustFile, validate } from "./config-files.ts";

const show: CommandDecl = {
  name: "show",
  summary: "Show the effective configuration, secrets masked",
  options: [
    { flag: "--section", value: "NAME", doc: "Only this section" },
    {
      flag: "--format",
      value: "FORMAT",
      choices: ["toml", "json"],
      default: "toml",
      doc: "Form of the body",
    },
    { flag: "--show-secrets", doc: "Show keys and passwords in clear" },
  ],
  args: [{ name: "SECTION", doc: "Only this section", optional: true }],
  async run(io, args, options) {
    const { config } = await io.loadConfig();
    const section = sectionName(config, (args.SECTION ?? options.section) as string | undefined);
    const shown = await body(config, section, options["show-secrets"] === true);
    if (io.mode === "json") {
      io.json(section === undefined ? shown : shown[section], true);
      return EXIT.ok;
    }
    io.out(section === undefined ? "Full configuration:" : `Configuration section: ${section}`);
    io.out("");
    if (options.format === "json") {
      io.out(JSON.stringify(section === undefined ? shown : shown[section], null, 2));
    } else {
      const { stringify } = await import("smol-toml");
      io.out(stringify(shown).trimEnd());
    }
    return EXIT.ok;
  },
};

/** The configuration, or one section under its name, without what may not be seen. */
async function body(config: Config, section: string | undefined, secrets: boolean) {
  const part = section === undefined ? config : { [section]: config[section as keyof Config] };
  if (secrets) return part as Record<string, unknown>;
  const { maskSecret, redact } = await import("../../config/redact.ts");
  return redact(part, [], maskSecret) as Record<string, unknown>;
}

function sectionName(config: Config, wanted: string | undefined): string | undefined {
  if (wanted === undefined) return undefined;
  const sections = Object.keys(config).filter((key) => typeof config[key as keyof Config] === "object");
  if (sections.includes(wanted)) return wanted;
  throw new SpellError("usage", `Unknown section: "${wanted}". Sections: ${sections.join(", ")}`, {
    hint: didYouMean(wanted, sections) ?? "Without a section the whole configuration is shown",
  });
}

const listProfiles: CommandDecl = {
  name: "list-profiles",
  summary: "List the built-in profiles",
  options: [{ flag: "--detailed", short: "-d", doc: "Also show use cases and features" }],
  async run(io, _args, options) {
    const { PROFILES, PROFILE_CATEGORIES } = await import("../../config/profiles.ts");
    if (io.mode === "json") {
      io.json(PROFILES.map(describe), true);
      return EXIT.ok;
    }
    io.out("Available Builtin Profiles:");
    for (const category of PROFILE_CATEGORIES) {
      io.out(`\n${category}`);
      for (const profile of PROFILES.filter((candidate) => candidate.category === category))
        printProfile(io, profile, options);
    }
    io.out("\nUse one with: llmspell --profile NAME run SCRIPT");
    return EXIT.ok;
  },
};

function describe({ name, category, description, use_cases, features }: Profile) {
  return { name, category, description, use_cases, features };
}

function printProfile(io: CommandIo, profile: Profile, options: OptionValues): void {
  io.out(`  ${profile.name} - ${profile.description}`);
  if (options.detailed !== true) return;
  if (profile.aliases.length > 0) io.out(`    Also called: ${profile.aliases.join(", ")}`);
  io.out("    Use Cases:");
  for (const useCase of profile.use_cases) io.out(`      • ${useCase}`);
  io.out("    Key Features:");
  for (const feature of profile.features) io.out(`      • ${feature}`);
}

const showProfile: CommandDecl = {
  name: "show-profile",
  summary: "Show the settings of a built-in profile",
  options: [],
  args: [{ name: "NAME", doc: "Name of the profile" }],
  async run(io, args) {
    const { findProfile, profileText } = await import("../../config/profiles.ts");
    const { name, text } = profileText(args.NAME as string);
    if (io.mode === "json") {
      const { parseToml } = await import("../../config/toml.ts");
      io.json({ ...describe(findProfile(name)!), settings: parseToml(text, name) }, true);
    } else io.out(text.trimEnd());
    return EXIT.ok;
  },
};

export const command: CommandDecl = {
  name: "config",
  summary: "Create, check, show and trust configuration",
  options: [],
  subcommands: [
    {
      name: "init",
      summary: "Write the default configuration, documented, to a file",
      options: [
        { flag: "--output", short: "-o", value: "PATH", default: "llmspell.toml", doc: "The file to write" },
        { flag: "--force", short: "-f", doc: "Replace an existing file" },
      ],
      run: initialise,
    },
    {
      name: "generate",
      summary: "Print the default configuration, documented",
      options: [],
      async run(io) {
        const { defaultConfigText } = await import("../../config/template.ts");
        if (io.mode === "json") io.json({ toml: defaultConfigText() });
        else io.out(defaultConfigText().trimEnd());
        return EXIT.ok;
      },
    },
    {
      name: "validate",
      summary: "Check the configuration and list errors and warnings",
      options: [
        {
          flag: "--file",
          short: "-f",
          value: "PATH",
          doc: "This file instead of the one that would be used",
        },
      ],
      run: validate,
    },
    show,
    listProfiles,
    showProfile,
    {
      name: "trust",
      summary: "Use a file found in the current directory with all its settings",
      details:
        "A configuration file that was found and not named cannot widen permissions, name programs, or set keys and " +
        "addresses. Trusting it lifts this for its present content; a changed file has to be trusted again.",
      options: [],
      args: [
        { name: "FILE", doc: "The file; the one found in the current directory when absent", optional: true },
      ],
      run: trustFile,
    },
    {
      name: "untrust",
      summary: "Take back `config trust`",
      options: [],
      args: [
        { name: "FILE", doc: "The file; the one found in the current directory when absent", optional: true },
      ],
      run: untrustFile,
    },
  ],
};
