/** Images that a script gives to an agent, as they come to each vendor. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { ProviderServer } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";

/** A red dot. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const JPEG = "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkS";

/** Where the two images stand in a request, by the vendors' documentation. */
const SHAPES: Record<string, (body: never) => unknown> = {
  openai: ({ messages }: { messages: { content: unknown }[] }) => messages.at(-1)!.content,
  anthropic: ({ messages }: { messages: { content: unknown }[] }) => messages.at(-1)!.content,
  gemini: ({ contents }: { contents: { parts: unknown }[] }) => contents.at(-1)!.parts,
  cohere: ({ messages }: { messages: { content: unknown }[] }) => messages.at(-1)!.content,
};
const dataUrl = (type: string, data: string) => ({
  type: "image_url",
  image_url: { url: `data:image/${type};base64,${data}` },
});
const base64 = (type: string, data: string) => ({
  type: "image",
  source: { type: "base64", media_type: `image/${type}`, data },
});
const inline = (type: string, data: string) => ({ inlineData: { mimeType: `image/${type}`, data } });
const EXPECTED: Record<string, unknown[]> = {
  openai: [{ type: "text", text: "What?" }, dataUrl("png", PNG), dataUrl("jpeg", JPEG)],
  anthropic: [{ type: "text", text: "What?" }, base64("png", PNG), base64("jpeg", JPEG)],
  gemini: [{ text: "What?" }, inline("png", PNG), inline("jpeg", JPEG)],
  cohere: [{ type: "text", text: "What?" }, dataUrl("png", PNG), dataUrl("jpeg", JPEG)],
};

async function ask(type: string, model: string | undefined, input: string) {
  const vendor = VENDORS.find((one) => one.type === type)!;
  await using server = await ProviderServer.start(vendor.format);
  server.script({ answer: { text: "A dot" } });
  using box = new Sandbox();
  const name = `LLMSPELL_${type.toUpperCase()}`;
  const done = await box.lua(
    `local agent = Agent.create{name = "a", model = "${type}/${model ?? vendor.imageModel ?? vendor.modelId}"}
     print(agent:execute(${input}).text)`,
    { env: { [`${name}_API_KEY`]: KEY, [`${name}_ENDPOINT`]: `${server.origin}${vendor.basePath}` } },
  );
  return { done, seen: server.seen };
}

describe("Images of a script", () => {
  test.each(Object.keys(SHAPES))("come to %s in its own shape", async (type) => {
    const images = `image = {base64 = "${PNG}", format = "PNG"}, media = {{base64 = "${JPEG}", format = "jpg"}}`;
    const { done, seen } = await ask(type, undefined, `{text = "What?", ${images}}`);
    expect(done).toMatchObject({ code: 0, stdout: "A dot\n", stderr: "" });
    expect(SHAPES[type]!(seen[0]!.body as never)).toEqual(EXPECTED[type]!);
  });

  test("are not sent to a model that is known not to see them", async () => {
    const input = `{text = "What?", image = {base64 = "${PNG}"}}`;
    const { done, seen } = await ask("openai", "gpt-3.5-turbo", input);
    expect([done.code, seen.length]).toEqual([1, 0]);
    expect(done.stderr).toContain("Cannot call model openai/gpt-3.5-turbo: it sees no images");
    using box = new Sandbox();
    const local = await box.lua(
      `print(Agent.create{name = "a", model = "local/spell-mini"}:execute(${input}).text)`,
    );
    expect(local.code).toBe(1);
    expect(local.stderr).toContain("image");
  });

  test.each([
    ['image = "dot.png"', '"image" must be a table with base64: dot.png'],
    ['image = {path = "dot.png"}', '"image" must be a table with base64: object'],
    [
      `image = {base64 = "data:image/png;base64,${PNG}"}`,
      '"image.base64" must be base64, without a data: prefix',
    ],
    [
      `media = {{base64 = "${PNG}", format = "tiff"}}`,
      '"media[1].format" must be one of png, jpeg, jpg, gif, webp: tiff',
    ],
    [`media = {{base64 = "${PNG}", type = "audio"}}`, '"media[1]" must be an image: audio'],
    [`media = {base64 = "${PNG}"}`, '"media" must be a list of images'],
  ])("that are none are refused: %s", async (image, message) => {
    const { done, seen } = await ask("openai", undefined, `{text = "What?", ${image}}`);
    expect([done.code, seen.length]).toEqual([1, 0]);
    expect(done.stderr).toContain(message);
    expect(done.stderr).toContain("Next: ");
  });
});
