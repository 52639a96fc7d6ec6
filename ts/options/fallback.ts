/** What a call answers when it has failed for good: a value, or a function of the error. */
export type FallbackOption = unknown;
