/** What all wire formats have in common for the loopback servers. */

/** An answer of a model, whatever the format. */
export interface Answer {
  text?: string;
  /** What the model thought first; some vendors sign it. */
  reasoning?: string;
  toolCalls?: { id: string; name: string; args: string }[];
  finish?: "stop" | "length" | "filter";
  input?: number;
  output?: number;
  cached?: number;
}

export interface SentEvent {
  name?: string;
  data: string;
}

export interface ChatRequest {
  path: string;
  headers: Record<string, string | undefined>;
  body: Record<string, unknown>;
}

/** A vendor's interface as its documentation tells it. */
export interface WireFormat {
  /** What is wrong with a request; undefined where nothing is. */
  wrong(request: ChatRequest): string | undefined;
  isStreamed(request: ChatRequest): boolean;
  whole(answer: Answer, request: ChatRequest): unknown;
  events(answer: Answer, request: ChatRequest): SentEvent[];
  /** The body with which a status is explained. */
  error(status: number, message: string): unknown;
  /** An error inside a stream. */
  errorEvent(message: string): SentEvent;
  embeddings?(request: ChatRequest): unknown;
}

/** An event with a name and JSON, as Anthropic and Cohere send them. */
export const event = (name: string, data: object): SentEvent => ({ name, data: JSON.stringify(data) });

/** What vendors sign thoughts with, which has to come back as it was. */
export const SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds";

export const TEXT_PIECES = (text: string): string[] => text.match(/[\s\S]{1,4}/gu) ?? [];

/** A vector that tells the text it belongs to: its length and its first code. */
export const vectorOf = (value: string): number[] => [value.length, value.charCodeAt(0), 0.5];

export const bearer = (key: string, { headers }: ChatRequest): boolean =>
  headers.authorization === `Bearer ${key}`;
