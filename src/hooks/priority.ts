/** Order of hooks: smaller numbers run first. The outermost are those of the reference's 32 bits. */
export const PRIORITIES = {
  highest: -2_147_483_648,
  high: -100,
  normal: 0,
  low: 100,
  lowest: 2_147_483_647,
} as const;

export type PriorityName = keyof typeof PRIORITIES;
