/** Gemini's generateContent and streamGenerateContent, as its REST reference has them. */
import {
  type Answer,
  type ChatRequest,
  type SentEvent,
  SIGNATURE,
  TEXT_PIECES,
  vectorOf,
  type WireFormat,
} from "./format.ts";
import {
  anyObject,
  either,
  flag,
  listOf,
  matching,
  number,
  object,
  oneOf,
  type Rule,
  text,
  whole,
} from "./rules.ts";

const meta = { thought: flag, thoughtSignature: text };
const part: Rule = either(
  object({ text }, meta),
  object(
    { inlineData: object({ mimeType: matching(/^image\/(png|jpeg|webp|heic|heif)$/), data: text }) },
    meta,
  ),
  object({ functionCall: object({ name: text }, { args: anyObject, id: text }) }, meta),
  object({ functionResponse: object({ name: text, response: anyObject }, { id: text }) }, meta),
);
const content = object({ parts: listOf(part) }, { role: oneOf("user", "model") });

const request = object(
  { contents: listOf(content) },
  {
    systemInstruction: content,
    generationConfig: object(
      {},
      {
        temperature: number(0, 2),
        topP: number(0, 1),
        topK: whole,
        maxOutputTokens: whole,
        stopSequences: listOf(text),
        seed: whole,
        candidateCount: whole,
        presencePenalty: number(-2, 2),
        frequencyPenalty: number(-2, 2),
        responseMimeType: oneOf("text/plain", "application/json", "text/x.enum"),
        responseSchema: anyObject,
        responseJsonSchema: anyObject,
        responseModalities: listOf(text),
        thinkingConfig: anyObject,
      },
    ),
    tools: listOf(
      object(
        {},
        {
          functionDeclarations: listOf(
            object(
              { name: matching(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/), description: text },
              { parameters: anyObject, parametersJsonSchema: anyObject, response: anyObject },
            ),
          ),
        },
      ),
    ),
    toolConfig: object(
      {},
      {
        functionCallingConfig: object(
          { mode: oneOf("AUTO", "ANY", "NONE", "VALIDATED") },
          { allowedFunctionNames: listOf(text) },
        ),
      },
    ),
    safetySettings: listOf(anyObject),
    cachedContent: text,
  },
);
const embed = object({ content }, { model: text, outputDimensionality: whole, taskType: text, title: text });

const STATUSES: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
};

export function geminiFormat(key: string): WireFormat {
  return {
    wrong(asked) {
      const { path, headers, body } = asked;
      if (headers["x-goog-api-key"] !== key) return `key: API key not valid: ${headers["x-goog-api-key"]}`;
      const method = /^\/v1beta\/models\/[^/:]+:(\w+)(\?.*)?$/.exec(path);
      switch (method?.[1]) {
        case "generateContent":
        case "streamGenerateContent":
          return request(body, "") ?? turns(asked);
        case "embedContent":
          return embed(body, "");
        case "batchEmbedContents":
          return object({ requests: listOf(embed) })(body, "");
        default:
          return `Method not found: ${path}`;
      }
    },
    isStreamed: ({ path }) => path.includes(":streamGenerateContent?alt=sse"),
    whole: (answer, asked) =>
      answer.finish === "filter" && answer.text === undefined
        ? { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: usageOf(answer), modelVersion: "m" }
        : response(
            asked,
            answer,
            [...(answer.text === undefined ? [] : [{ text: answer.text }]), ...callsOf(answer)],
            reasonOf(answer),
          ),
    events: eventsOf,
    error: (code, message) => ({
      error: {
        code,
        message,
        status: STATUSES[code] ?? "UNKNOWN",
        ...(code === 429
          ? {
              details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "0.02s" }],
            }
          : {}),
      },
    }),
    errorEvent: (message) => ({
      data: JSON.stringify({ error: { code: 503, message, status: "UNAVAILABLE" } }),
    }),
    embeddings: ({ path, body }) => {
      const texts = (given: unknown) =>
        (given as { content: { parts: { text: string }[] } }).content.parts.map((p) => p.text).join("");
      return path.includes(":batchEmbedContents")
        ? { embeddings: (body.requests as unknown[]).map((one) => ({ values: vectorOf(texts(one)) })) }
        : { embedding: { values: vectorOf(texts(body)) } };
    },
  };
}

/** "function call turn comes immediately after a user turn or after a function response turn", and its answer next. */
function turns({ body }: ChatRequest): string | undefined {
  const contents = body.contents as { role?: string; parts: Record<string, unknown>[] }[];
  for (const [i, { parts }] of contents.entries()) {
    const calls = parts.filter(({ functionCall }) => functionCall !== undefined).length;
    if (calls === 0) continue;
    const answers = (contents[i + 1]?.parts ?? []).filter(
      ({ functionResponse }) => functionResponse !== undefined,
    ).length;
    if (answers !== calls)
      return "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";
  }
  return undefined;
}

/** A call that thoughts led to carries their signature. */
const callsOf = ({ toolCalls = [], reasoning }: Answer) =>
  toolCalls.map(({ name, args }) => ({
    functionCall: { name, args: JSON.parse(args) as unknown },
    ...(reasoning === undefined ? {} : { thoughtSignature: SIGNATURE }),
  }));

const reasonOf = ({ finish = "stop" }: Answer): string =>
  ({ stop: "STOP", length: "MAX_TOKENS", filter: "SAFETY" })[finish];

const usageOf = ({ input = 9, output = 3, cached }: Answer) => ({
  promptTokenCount: input,
  candidatesTokenCount: output,
  totalTokenCount: input + output,
  ...(cached === undefined ? {} : { cachedContentTokenCount: cached }),
});

const response = ({ path }: ChatRequest, answer: Answer, parts: unknown[], finishReason?: string) => ({
  candidates: [
    {
      content: { parts, role: "model" },
      ...(finishReason === undefined ? {} : { finishReason }),
      index: 0,
    },
  ],
  usageMetadata: usageOf(answer),
  modelVersion: /models\/([^:]+)/.exec(path)?.[1],
  responseId: "Il0taoSYJ5Cez7",
});

function eventsOf(answer: Answer, asked: ChatRequest): SentEvent[] {
  const event = (data: object): SentEvent => ({ data: JSON.stringify(data) });
  if (answer.finish === "filter" && answer.text === undefined)
    return [event({ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: usageOf(answer) })];
  const thoughts = TEXT_PIECES(answer.reasoning ?? "").map((piece) =>
    response(asked, answer, [{ text: piece, thought: true }]),
  );
  const texts = TEXT_PIECES(answer.text ?? "").map((piece) => response(asked, answer, [{ text: piece }]));
  const calls = callsOf(answer);
  const last = response(asked, answer, calls.length > 0 ? calls : [{ text: "" }], reasonOf(answer));
  return [...thoughts, ...texts, last].map(event);
}
