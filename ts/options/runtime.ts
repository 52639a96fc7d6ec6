import { isPlain, texts } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** What runs the entry file; default `python`. */
export type RuntimeOption = 'python' | 'node' | { readonly command: readonly string[] };

/** @throws unless it is `python`, `node`, or a command of at least one word */
export function normalizeRuntime(value: unknown = 'python'): RuntimeOption {
  if (value === 'python' || value === 'node') return value;
  if (!isPlain(value)) {
    throw refusal('runtime', '"python", "node" or an object with command', value);
  }
  const { command } = knownNames('runtime', value, ['command']);
  const words = texts('runtime.command', command, 'a word of the command');
  if (words.length === 0) throw refusal('runtime.command', 'at least one word', command);
  return { command: words };
}
