/** The option `parseJson` of `call`, and 1.4's second argument. */

/** Parses a string reply; a reply that is none, or no JSON, stays as it is. */
export function parseJson(reply: unknown, warn: (text: string) => void): unknown {
  if (typeof reply !== 'string') return reply;
  try {
    return JSON.parse(reply) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    warn(`[ERROR] forced parsing failed: ${reason}`);
    return reply;
  }
}
