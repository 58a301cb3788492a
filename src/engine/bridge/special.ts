/** What the codec writes after its `special` tag. */
export const Special = { function: 1, handle: 2, table: 3 } as const;
