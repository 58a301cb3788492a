/** The model that is part of the executable (models/spell-mini/README.md). */
import spellMini from "../../models/spell-mini/spell-mini.gguf" with { type: "file" };
import { isCompiled } from "../core/worker.ts";
import { EMBEDDED_MODEL, type LocalModelInfo } from "./service.ts";

/** What its header says, so that listing extracts nothing; a test compares it with the file. */
export const EMBEDDED_INFO: Readonly<Omit<LocalModelInfo, "loaded" | "path">> = {
  id: EMBEDDED_MODEL,
  backend: "llamacpp",
  sizeBytes: 4_857_664,
  format: "gguf",
  quantization: "Q8_0",
  architecture: "llama",
  parameterCount: 4_517_120,
  contextLength: 1024,
  licence: "MIT",
  hasChatTemplate: true,
  memoryBytes: 27_935_232,
};

type Environment = Record<string, string | undefined>;

let extracted: Promise<string> | undefined;

/**
 * A path that llama.cpp can open: the project's file in development, a copy in the user's cache in the executable,
 * extracted at first use with the care of the native libraries.
 * @throws SpellError platform where no place takes it
 */
export function embeddedModelPath(env: Environment): Promise<string> {
  if (!isCompiled) return Promise.resolve(spellMini);
  extracted ??= extract(env).catch((error) => {
    extracted = undefined;
    throw error;
  });
  return extracted;
}

async function extract(env: Environment): Promise<string> {
  const [{ dirname, join }, { rmSync }, { extractLibraries }, { hashLibrarySet }, { placesFor }] =
    await Promise.all([
      import("node:path"),
      import("node:fs"),
      import("../ffi/extract.ts"),
      import("../ffi/library-set.ts"),
      import("../ffi/places.ts"),
    ]);
  const files = [{ name: "spell-mini.gguf", path: spellMini }];
  const places = placesFor(env).map((place) =>
    place.temporary ? place : { ...place, directory: join(dirname(place.directory), "models") },
  );
  const set = await extractLibraries(
    files,
    await hashLibrarySet(files),
    places,
    `the model ${EMBEDDED_MODEL}`,
    false,
  );
  if (set.temporary) process.once("exit", () => rmSync(set.directory, { recursive: true, force: true }));
  return join(set.directory, files[0]!.name);
}
