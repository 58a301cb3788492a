/** Server-sent events, as OpenAI's API streams them. */
export function eventOf(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

export const LAST_EVENT = "data: [DONE]\n\n";
