/** Tera's filters. Arguments have names: `replace(from="a", to="b")`. */
import { isPlainObject } from "../../../../core/values.ts";
import { parseTime } from "../../datetime-handler/parse.ts";
import { strftime } from "../../datetime-handler/strftime.ts";
import { zoneId } from "../../datetime-handler/zones.ts";
import { titlecase } from "../../text-manipulator/layout.ts";
import { capitalise } from "../../text-manipulator/words.ts";
import { display, escapeWith, member, SafeText, templateError } from "../values.ts";

export type FilterArguments = ReadonlyMap<string, unknown>;
export type Filter = (value: unknown, args: FilterArguments) => unknown;

const HTML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#x27;",
  "/": "&#x2F;",
};

export const escapeHtml = (value: unknown): string => escapeWith(value, HTML, /[&<>"'/]/g);

const onText =
  (change: (text: string) => unknown): Filter =>
  (value) =>
    change(display(value));

const SIZES = ["B", "KB", "MB", "GB", "TB", "PB"];

export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["upper", onText((text) => text.toUpperCase())],
  ["lower", onText((text) => text.toLowerCase())],
  ["capitalize", onText(capitalise)],
  ["title", onText(titlecase)],
  ["trim", onText((text) => text.trim())],
  ["trim_start", onText((text) => text.trimStart())],
  ["trim_end", onText((text) => text.trimEnd())],
  ["wordcount", onText((text) => text.split(/\s+/).filter((word) => word !== "").length)],
  ["addslashes", onText((text) => text.replace(/[\\"']/g, "\\$&"))],
  ["linebreaksbr", onText((text) => new SafeText(text.replace(/\r?\n/g, "<br>")))],
  ["striptags", onText((text) => text.replace(/<[^<>]*>/g, ""))],
  ["slugify", onText(slugify)],
  ["urlencode", onText((text) => encodeURIComponent(text).replaceAll("%2F", "/"))],
  ["urlencode_strict", onText(encodeURIComponent)],
  ["split", (value, args) => display(value).split(textArgument(args, "pat"))],
  ["replace", (value, args) => replace(display(value), textArgument(args, "from"), textArgument(args, "to"))],
  ["truncate", truncate],
  ["escape", (value) => new SafeText(escapeHtml(value))],
  ["escape_xml", (value) => new SafeText(escapeHtml(value).replaceAll("&#x2F;", "/"))],
  ["safe", (value) => new SafeText(display(value))],
  ["as_str", (value) => display(value)],
  ["json_encode", (value, args) => toJson(value, args.get("pretty") === true)],
  ["int", (value, args) => whole(Number.parseInt(display(value), Number(args.get("base") ?? 10)), args)],
  ["float", (value, args) => whole(Number(display(value)), args)],
  ["abs", (value) => Math.abs(number(value))],
  ["round", round],
  [
    "pluralize",
    (value, args) =>
      args.get(number(value) === 1 ? "singular" : "plural") ?? (number(value) === 1 ? "" : "s"),
  ],
  ["filesizeformat", (value) => fileSize(number(value))],
  ["date", date],
  [
    "length",
    (value) =>
      isPlainObject(value)
        ? Object.keys(value).length
        : Array.isArray(value)
          ? value.length
          : [...display(value)].length,
  ],
  [
    "reverse",
    (value) => (Array.isArray(value) ? value.toReversed() : [...display(value)].reverse().join("")),
  ],
  ["first", (value) => list(value)[0] ?? ""],
  ["last", (value) => list(value).at(-1) ?? ""],
  ["nth", (value, args) => list(value)[number(args.get("n"))] ?? ""],
  [
    "join",
    (value, args) =>
      list(value)
        .map(display)
        .join(args.has("sep") ? textArgument(args, "sep") : ""),
  ],
  [
    "slice",
    (value, args) =>
      list(value).slice(
        number(args.get("start") ?? 0),
        args.has("end") ? number(args.get("end")) : undefined,
      ),
  ],
  ["concat", (value, args) => [...list(value), ...[args.get("with")].flat()]],
  ["sort", (value, args) => list(value).toSorted(byAttribute(args))],
  ["unique", unique],
  [
    "map",
    (value, args) =>
      list(value)
        .map((item) => attribute(item, args))
        .filter((item) => item !== undefined),
  ],
  [
    "filter",
    (value, args) =>
      list(value).filter((item) =>
        args.has("value")
          ? attribute(item, args) === args.get("value")
          : attribute(item, args) !== null && attribute(item, args) !== undefined,
      ),
  ],
  ["group_by", (value, args) => Object.groupBy(list(value), (item) => display(attribute(item, args)))],
  ["get", (value, args) => member(value, args.get("key")) ?? args.get("default")],
]);

function textArgument(args: FilterArguments, name: string): string {
  if (!args.has(name)) throw templateError(`a filter needs the argument '${name}'`);
  return display(args.get(name));
}

function number(value: unknown): number {
  const result = Number(value);
  if (value === undefined || Number.isNaN(result)) throw templateError(`not a number: '${display(value)}'`);
  return result;
}

function whole(result: number, args: FilterArguments): unknown {
  return Number.isNaN(result) ? (args.get("default") ?? 0) : result;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw templateError(`not a list: '${display(value).slice(0, 40)}'`);
  return value;
}

function replace(text: string, from: string, to: string): string {
  return from === "" ? text : text.replaceAll(from, () => to);
}

function truncate(value: unknown, args: FilterArguments): string {
  const text = display(value);
  const chars = [...text];
  const length = number(args.get("length") ?? 255);
  return chars.length <= length
    ? text
    : chars.slice(0, length).join("") + (args.has("end") ? textArgument(args, "end") : "…");
}

function slugify(text: string): string {
  const ascii = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return ascii
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")
    .join("-");
}

function round(value: unknown, args: FilterArguments): number {
  const scale = 10 ** number(args.get("precision") ?? 0);
  const scaled = number(value) * scale;
  const method = args.get("method") ?? "common";
  if (method === "ceil") return Math.ceil(scaled) / scale;
  if (method === "floor") return Math.floor(scaled) / scale;
  return (Math.sign(scaled) * Math.round(Math.abs(scaled))) / scale;
}

function fileSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < SIZES.length - 1) {
    size /= 1000;
    unit++;
  }
  return unit === 0 ? `${size} B` : `${Number(size.toFixed(2))} ${SIZES[unit]}`;
}

/** A Unix time or a written date, by default as %Y-%m-%d. */
function date(value: unknown, args: FilterArguments): string {
  const { time } = parseTime(display(value), undefined, "UTC");
  const shown = args.has("timezone") ? time.withTimeZone(zoneId(textArgument(args, "timezone"))) : time;
  return strftime(shown, args.has("format") ? textArgument(args, "format") : "%Y-%m-%d");
}

function toJson(value: unknown, pretty: boolean): string {
  const plain = (_key: string, item: unknown) =>
    item instanceof SafeText ? item.text : typeof item === "bigint" ? Number(item) : item;
  return JSON.stringify(value, plain, pretty ? 2 : undefined) ?? "null";
}

/** The member that `attribute="a.b"` names; the item itself without one. */
function attribute(item: unknown, args: FilterArguments): unknown {
  if (!args.has("attribute")) return item;
  return textArgument(args, "attribute").split(".").reduce(member, item);
}

function byAttribute(args: FilterArguments): (a: unknown, b: unknown) => number {
  return (a, b) => {
    const [x, y] = [attribute(a, args), attribute(b, args)];
    if (typeof x === "number" && typeof y === "number") return x - y;
    const [s, t] = [display(x), display(y)];
    return s < t ? -1 : s > t ? 1 : 0;
  };
}

function unique(value: unknown, args: FilterArguments): unknown[] {
  const seen = new Set<string>();
  const isSensitive = args.get("case_sensitive") === true;
  return list(value).filter((item) => {
    const text = toJson(attribute(item, args), false);
    const key = isSensitive ? text : text.toLowerCase();
    return seen.has(key) ? false : seen.add(key);
  });
}
