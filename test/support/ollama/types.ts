/** What a fake Ollama has and answers. */

export interface FakeModel {
  sizeBytes?: number;
  quantization?: string;
  parameterSize?: string;
  parameterCount?: number;
  trainedTokens?: number;
  presetTokens?: number;
  capabilities?: string[];
  thinking?: { values: unknown[]; default: unknown };
  licence?: string;
}

/** One answer of `/api/chat`. */
export interface FakeAnswer {
  /** Pieces, as they are sent. */
  thinking?: string[];
  text?: string[];
  toolCalls?: { id?: string; name: string; arguments: Record<string, unknown> }[];
  doneReason?: string;
  outputTokens?: number;
  /** Ends with this error line instead of the last one. */
  error?: string;
  /** The connection is cut instead of the last line. */
  cut?: boolean;
  /** Waits this long before each line. */
  delayMs?: number;
}

/** What is answered instead, once. */
export interface Fault {
  status?: number;
  type?: string;
  body?: string;
  headers?: Record<string, string>;
  /** No answer at all. */
  hang?: boolean;
  /** The connection is cut before an answer. */
  cut?: boolean;
  /** After the body this comes again and again. */
  drip?: string;
}

export interface Layer {
  digest: string;
  bytes: number;
}

export interface Settings {
  version?: string;
  models?: Record<string, FakeModel>;
  /** What can be pulled. */
  library?: Record<string, Layer[]>;
  answers?: FakeAnswer[];
  /** Bytes written at once; each piece is its own packet. */
  pieceBytes?: number;
  /** Context length without `num_ctx`. */
  contextTokens?: number;
  port?: number;
}
