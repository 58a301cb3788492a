import { anything, choice, flag, integer, list, NOT_RAISED, section } from "../fields.ts";

const SECURITY_LEVELS = ["Safe", "Privileged", "Unrestricted"] as const;
const level = () =>
  choice(
    SECURITY_LEVELS,
    "Safe",
    "Safe: the switches of `[runtime.security]` as given; Privileged: files and processes allowed; Unrestricted: everything allowed, no limits",
    NOT_RAISED,
  );

export const Engines = section(
  "Script engines. Any other table holds the settings of an engine of that name.",
  {
    lua: section("The Lua engine.", {
      stdlib: choice(
        ["None", "Basic", "Standard", "All"],
        "Standard",
        "None: base functions; Basic: and string, table, math, utf8; Standard: and coroutine, os time functions, io with file access; All: everything the switches permit",
      ),
      max_memory_bytes: integer(50_000_000, "Memory of one script, in bytes", { minimum: 1, ...NOT_RAISED }),
      enable_debug: flag(false, "Give scripts the `debug` library (with stdlib All)", NOT_RAISED),
      timeout_ms: integer(
        30_000,
        "Time of one script, in milliseconds; counts only where it is set, and the smallest limit wins",
        {
          minimum: 1,
          ...NOT_RAISED,
        },
      ),
      security_level: level(),
      module_paths: list([], "Directories from which `require` reads, besides the script's own", {
        ...NOT_RAISED,
        "x-path": true,
      }),
    }),
    javascript: section("The JavaScript engine; kept for when there is one.", {
      strict_mode: flag(true, "Run scripts in strict mode"),
      max_heap_size_bytes: integer(50_000_000, "Heap of one script, in bytes", { minimum: 1, ...NOT_RAISED }),
      enable_console: flag(true, "Offer `console`"),
      timeout_ms: integer(30_000, "Time of one script, in milliseconds", { minimum: 1, ...NOT_RAISED }),
      security_level: level(),
    }),
  },
  anything("Settings of a custom engine, kept as they are"),
);
