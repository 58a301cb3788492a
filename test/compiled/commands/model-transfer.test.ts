/** Models that come and go without a network: bundles (read by GNU tar and sha256sum), split sets, directories, Ollama's store. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";
import { BERT_MODELS, writeBertDirectory } from "../../support/bert.ts";
import { generateModel, generateSplitModel, SPELL_MINI } from "../../support/gguf-models.ts";
import { HubBox } from "../../support/hub/box.ts";
import { BlobServer, ollamaManifest } from "../../support/hub/hubs.ts";

const mini = readFileSync(SPELL_MINI);

function box(): HubBox {
  const made = new HubBox();
  made.configure({});
  made.write("mini.gguf", mini);
  return made;
}

async function bundled(place: HubBox, name = "acme/mini:q8"): Promise<string> {
  await place.model(["import", "mini.gguf", "--name", name]);
  expect((await place.model(["export", name, "bundle.tar"])).code).toBe(0);
  return join(place.cwd, "bundle.tar");
}

describe("A bundle", () => {
  test("is a tar archive whose checksums hold, and another machine takes it", async () => {
    using place = box();
    const path = await bundled(place);
    const out = join(place.root, "out");
    mkdirSync(out);
    await $`tar -xf ${path} -C ${out}`.quiet();
    expect((await $`sha256sum -c SHA256SUMS`.cwd(out).text()).trim()).toBe("mini.gguf: OK");
    expect(readFileSync(join(out, "mini.gguf")).equals(mini)).toBe(true);

    using other = box();
    const { code, document } = await other.model(["import", path]);
    expect({ code, id: document.id }).toEqual({ code: 0, id: "acme/mini:q8" });
    expect(other.stored()).toEqual(["acme--mini/q8/mini.gguf", "acme--mini/q8/model.json"]);
    expect((await other.model(["import", path])).document.code).toBe("already_exists");
    expect((await other.model(["import", path, "--name", "again:x", "--force"])).document.id).toBe("again:x");
  });

  test("written by GNU tar is taken as well", async () => {
    using place = box();
    const path = await bundled(place);
    const out = join(place.root, "out");
    mkdirSync(out);
    await $`tar -xf ${path} -C ${out}`.quiet();
    await $`tar --format=ustar -cf ${place.cwd}/gnu.tar llmspell-model.json mini.gguf`.cwd(out).quiet();
    expect((await place.model(["import", "gnu.tar", "--name", "gnu:x", "--force"])).code).toBe(0);
  });

  test("carries all parts of a split set", async () => {
    using place = box();
    const paths = generateSplitModel(place.cwd, "llama-f32", 3);
    const imported = await place.model(["import", paths[1]!, "--name", "parts:x"]);
    expect(imported).toMatchObject({ code: 0, document: { id: "parts:x", architecture: "llama" } });
    await place.model(["export", "parts:x", "parts.tar"]);
    using other = box();
    expect((await other.model(["import", join(place.cwd, "parts.tar")])).code).toBe(0);
    const names = [1, 2, 3].map((n) => `parts/x/parts-0000${n}-of-00003.gguf`);
    expect(other.stored()).toEqual(["parts/x/model.json", ...names]);
    for (const [i, name] of names.entries())
      expect(other.bytes(name).equals(readFileSync(paths[i]!))).toBe(true);
    rmSync(join(other.store, names[1]!));
    expect((await other.model(["info", "parts:x"])).code).toBe(1);
  });

  test("of a model that was damaged in the store is not written", async () => {
    using place = box();
    await place.model(["import", "mini.gguf", "--name", "m:x"]);
    const damaged = place.bytes("m/x/m.gguf");
    damaged[damaged.length - 1]! ^= 1;
    writeFileSync(join(place.store, "m/x/m.gguf"), damaged);
    const { document } = await place.model(["export", "m:x", "bundle.tar"]);
    expect(document.error).toContain("its file has changed since it was stored");
    expect([...new Bun.Glob("bundle*").scanSync(place.cwd)]).toEqual([]);
  });

  test("is not written over a file, nor with the built-in model", async () => {
    using place = box();
    await bundled(place);
    expect((await place.model(["export", "acme/mini:q8", "bundle.tar"])).document.code).toBe(
      "already_exists",
    );
    expect((await place.model(["export", "acme/mini:q8", "bundle.tar", "--force"])).code).toBe(0);
    expect((await place.model(["export", "spell-mini", "x.tar"])).document.code).toBe("invalid_argument");
  });
});

describe("A hostile or damaged bundle is refused and leaves nothing:", () => {
  /** An archive of GNU tar's, from files below a directory. */
  async function archive(
    place: HubBox,
    head: object | string,
    files: Record<string, Uint8Array>,
    ...flags: string[]
  ) {
    const from = join(place.root, "from");
    const names = ["llmspell-model.json", ...Object.keys(files)];
    for (const [name, content] of Object.entries({ "llmspell-model.json": head, ...files })) {
      mkdirSync(dirname(join(from, name)), { recursive: true });
      const isText = typeof content === "string" || content instanceof Uint8Array;
      writeFileSync(join(from, name), isText ? content : JSON.stringify(content));
    }
    await $`tar --format=ustar ${flags} -cf ${place.cwd}/evil.tar ${names}`.cwd(from).quiet();
    return place.model(["import", "evil.tar"]);
  }
  const entry = (name: string, bytes: Uint8Array = mini) => ({
    name,
    sizeBytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  const head = (files: object[], id = "evil:x") => ({
    format: "llmspell-model",
    version: 1,
    id,
    files,
    origin: {},
  });

  test.each(["../m.gguf", "/m.gguf", "a/m.gguf", ".m.gguf", "m.sh", "..\\m.gguf", "m.gguf\u0000.sh"])(
    "a manifest that names %p",
    async (name) => {
      using place = box();
      const { code, document } = await archive(place, head([entry(name)]), { "m.gguf": mini });
      expect({ code, kind: document.code }).toEqual({ code: 1, kind: "model_invalid" });
      expect(place.stored()).toEqual([]);
    },
  );

  test("an id that leaves the store", async () => {
    using place = box();
    const { document } = await archive(place, head([entry("m.gguf")], "../../evil:x"), { "m.gguf": mini });
    expect(document.error).toContain("Invalid model spec");
    expect(place.stored()).toEqual([]);
  });

  test("an entry that the manifest does not name, and one it names that is not there", async () => {
    using place = box();
    const extra = await archive(place, head([entry("m.gguf")]), {
      "m.gguf": mini,
      "run.sh": Buffer.from("x"),
    });
    expect(extra.document.error).toContain('does not name "run.sh"');
    const absent = await archive(place, head([entry("m.gguf"), entry("n.gguf")]), { "m.gguf": mini });
    expect(absent.document.error).toContain("n.gguf is not in it once");
  });

  test("a file of another digest or size", async () => {
    using place = box();
    const wrong = Buffer.from(mini);
    wrong[9000]! ^= 1;
    expect((await archive(place, head([entry("m.gguf")]), { "m.gguf": wrong })).document.error).toContain(
      "SHA-256",
    );
    const short = mini.subarray(1);
    expect((await archive(place, head([entry("m.gguf")]), { "m.gguf": short })).document.error).toContain(
      "bytes",
    );
    expect(place.stored()).toEqual([]);
  });

  test("a link in place of a file", async () => {
    using place = box();
    const from = join(place.root, "from");
    mkdirSync(from);
    writeFileSync(join(from, "llmspell-model.json"), JSON.stringify(head([entry("m.gguf")])));
    await $`ln -s /etc/passwd m.gguf`.cwd(from).quiet();
    await $`tar --format=ustar -cf ${place.cwd}/evil.tar llmspell-model.json m.gguf`.cwd(from).quiet();
    expect((await place.model(["import", "evil.tar"])).document.error).toContain('"m.gguf" is no plain file');
  });

  test("another archive, a manifest that is none, and one cut at any place", async () => {
    using place = box();
    await $`tar --format=ustar -cf other.tar mini.gguf`.cwd(place.cwd).quiet();
    expect((await place.model(["import", "other.tar"])).document.error).toContain(
      "does not begin with llmspell-model.json",
    );
    expect((await archive(place, "{", {})).document.error).toContain("is not JSON");
    expect((await archive(place, { format: "else" }, {})).document.error).toContain("is not as expected");
    const path = await bundled(place);
    await place.model(["remove", "acme/mini:q8", "--yes"]);
    const whole = readFileSync(path);
    for (const size of [512, 1000, 2048, 100_000, mini.length, whole.length - 1024]) {
      writeFileSync(join(place.cwd, "cut.tar"), whole.subarray(0, size));
      expect((await place.model(["import", "cut.tar"])).document.code).toBe("model_invalid");
    }
    expect(place.stored()).toEqual([]);
  });
});

describe("llmspell model import of a directory", () => {
  test("takes the one GGUF file in it, and asks where there are several", async () => {
    using place = box();
    mkdirSync(join(place.cwd, "one"));
    generateModel(join(place.cwd, "one"), "llama-f32");
    expect((await place.model(["import", "one"])).document.id).toBe("llama:F32");
    expect((await place.model(["import", "."])).code).toBe(0);
    writeFileSync(join(place.cwd, "one", "other.gguf"), mini);
    const { document } = await place.model(["import", "one"]);
    expect(document).toMatchObject({ code: "invalid_argument", hint: expect.stringContaining("other.gguf") });
  });

  test("converts safetensors with their tokenizer", async () => {
    using place = box();
    const directory = writeBertDirectory(place.cwd, Object.keys(BERT_MODELS)[0]!);
    const { code, document } = await place.model(["import", directory, "--name", "mine"]);
    expect({ code, document }).toMatchObject({
      code: 0,
      document: { architecture: "bert", id: "mine:F16", quantization: "F16" },
    });
    expect(place.stored()).toEqual(["mine/F16/mine.gguf", "mine/F16/model.json"]);
  });
});

describe("llmspell model import of Ollama's directory", () => {
  /** The store of Ollama as it lies in `~/.ollama/models`. */
  function ollamaStore(place: HubBox, models: Record<string, object>, blobs: BlobServer): string {
    const root = join(place.root, "ollama", "models");
    mkdirSync(join(root, "blobs"), { recursive: true });
    for (const [path, manifest] of Object.entries(models)) {
      mkdirSync(dirname(join(root, "manifests", path)), { recursive: true });
      writeFileSync(join(root, "manifests", path), JSON.stringify(manifest));
    }
    for (const [digest, bytes] of blobs.blobs) writeFileSync(join(root, "blobs", `sha256-${digest}`), bytes);
    return root;
  }

  test("takes a model with its metadata, without a network", async () => {
    using place = box();
    const blobs = new BlobServer();
    const library = "registry.ollama.ai/library";
    const root = ollamaStore(
      place,
      {
        [`${library}/tiny/latest`]: ollamaManifest({ model: mini, template: "{{ .Prompt }}" }, blobs),
        "hf.co/acme/other/Q8_0": ollamaManifest({ model: mini }, blobs),
      },
      blobs,
    );
    const several = await place.model(["import", root]);
    expect(several.document).toMatchObject({
      code: "invalid_argument",
      hint: expect.stringContaining("acme/other:Q8_0, tiny:latest"),
    });
    expect((await place.model(["import", root, "--model", "tiny"])).document.id).toBe("tiny:latest");
    expect(JSON.parse(place.bytes("tiny/latest/model.json").toString())).toMatchObject({
      source: "ollama:tiny:latest",
      template: "{{ .Prompt }}",
    });
    expect(place.bytes("tiny/latest/tiny.gguf").equals(mini)).toBe(true);
    const absent = await place.model(["import", root, "--model", "tini"]);
    expect(absent.document).toMatchObject({
      code: "not_found",
      hint: expect.stringContaining("tiny:latest"),
    });
  });

  test("refuses a blob that is not what its name says, and a manifest that is none", async () => {
    using place = box();
    const blobs = new BlobServer();
    const manifest = ollamaManifest({ model: mini }, blobs);
    const root = ollamaStore(place, { "registry.ollama.ai/library/tiny/latest": manifest }, blobs);
    const digest = createHash("sha256").update(mini).digest("hex");
    const wrong = Buffer.from(mini);
    wrong[wrong.length - 1]! ^= 1;
    writeFileSync(join(root, "blobs", `sha256-${digest}`), wrong);
    expect((await place.model(["import", root])).document.error).toContain(
      "its SHA-256 is not the one on record",
    );
    writeFileSync(
      join(root, "manifests/registry.ollama.ai/library/tiny/latest"),
      '{"layers": [{"digest": "../../x"}]}',
    );
    expect((await place.model(["import", root])).document.error).toContain("it is no manifest of Ollama's");
    expect(place.stored()).toEqual([]);
    expect(
      existsSync(place.store) ? [...new Bun.Glob("**/*.gguf").scanSync({ cwd: place.store, dot: true })] : [],
    ).toEqual([]);
  });
});
