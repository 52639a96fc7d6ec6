import { isPlain } from './checks.js';
import { refusal } from './invalid.js';

/** Environment variables of the worker, besides inherited ones. Undefined values count as absent. */
export type EnvOption = Readonly<Record<string, string | undefined>>;

/** @throws unless names and values are such that an operating system takes them */
export function normalizeEnv(value: unknown = {}): Record<string, string> {
  // `process.env` itself is no object literal.
  if (!isPlain(value) && value !== process.env) {
    throw refusal('env', 'an object of strings', value);
  }
  const variables: Record<string, string> = {};
  for (const [name, content] of Object.entries(value as object)) {
    if (content === undefined) continue;
    if (name === '' || /[=\0]/.test(name)) {
      throw refusal('env', 'an object whose names hold neither "=" nor null characters', name);
    }
    if (typeof content !== 'string' || content.includes('\0')) {
      throw refusal(`env.${name}`, 'a string without null characters', content);
    }
    variables[name] = content;
  }
  return variables;
}
