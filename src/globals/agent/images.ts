/** Images that a script gives to an agent: `image = {base64, format}`, or several in `media`. */
import type { AgentImage } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import { type Table, table, text } from "./fields.ts";

const FORMATS = ["png", "jpeg", "jpg", "gif", "webp"];
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** @throws SpellError invalid_argument for what is no image */
export function imagesOf({ image, media }: Table): AgentImage[] {
  return [
    ...(absent(image) ? [] : [imageOf("image", image)]),
    ...listOf(media).map((item, i) => imageOf(`media[${i + 1}]`, item)),
  ];
}

function listOf(media: ScriptValue | undefined): readonly ScriptValue[] {
  if (Array.isArray(media)) return media;
  const given = table(media);
  if (absent(media) || (given !== undefined && Object.keys(given).length === 0)) return [];
  throw refuse("media", "must be a list of images", media);
}

function imageOf(place: string, value: ScriptValue | undefined): AgentImage {
  const given = table(value);
  const base64 = text(given?.base64)?.replace(/\s+/g, "");
  if (base64 === undefined) throw refuse(place, "must be a table with base64", value);
  const kind = text(given?.type)?.toLowerCase() ?? "image";
  if (kind !== "image") throw refuse(place, "must be an image", kind);
  const format = text(given?.format)?.toLowerCase() ?? "png";
  if (!FORMATS.includes(format))
    throw refuse(`${place}.format`, `must be one of ${FORMATS.join(", ")}`, format);
  if (!BASE64.test(base64)) throw refuse(`${place}.base64`, "must be base64, without a data: prefix", base64);
  return { base64, format };
}

const absent = (value: unknown): value is undefined | null => value === undefined || value === null;

function refuse(place: string, rule: string, value: unknown): SpellError {
  const shown = typeof value === "string" ? value.slice(0, 60) : typeof value;
  return new SpellError("invalid_argument", `Cannot run agent: "${place}" ${rule}: ${shown}`, {
    hint: 'Write image = {base64 = "iVBOR…", format = "png"}; the tool base64-encoder makes it out of a file',
  });
}
