import { join } from 'node:path';
import { isPlain, texts } from './checks.js';
import { InvalidOptionError, refusal } from './invalid.js';
import type { ModeOption } from './mode.js';
import { knownNames } from './names.js';
import type { ProtocolOption } from './protocol.js';

/**
 * What runs the entry file: Python (the default); the Node that runs this program; or a command, which
 * speaks docs/protocol.md. Its program is looked for on the `PATH`, its relative words count from the
 * directory, and the entry file is appended unless one of the words names it.
 */
export type RuntimeOption = 'python' | 'node' | { readonly command: readonly string[] };

/** What starts a worker in Node: beside the compiled facade, whatever runs this one. */
const NODE_LAUNCHER = join(__dirname, '..', '..', 'dist', 'worker', 'launch.js');

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

/** The runtime's name for the engine, and the command line of its workers; Python needs none. */
export function runtimeCommand(runtime: RuntimeOption): {
  runtime: 'python' | 'node' | 'command';
  command: readonly string[];
} {
  if (runtime === 'python') return { runtime, command: [] };
  if (runtime === 'node') return { runtime, command: [process.execPath, NODE_LAUNCHER] };
  return { runtime: 'command', command: runtime.command };
}

/** @throws if workers in Node are asked for what they cannot do */
export function checkRuntime(
  runtime: RuntimeOption,
  mode: ModeOption,
  protocol: ProtocolOption,
): void {
  if (runtime !== 'node') return;
  if (mode === 'threads') {
    throw new InvalidOptionError(
      'option "mode" cannot be "threads" with runtime "node": use "async", or more workers',
    );
  }
  if (protocol === 'stdio') {
    throw new InvalidOptionError('option "protocol" cannot be "stdio" with runtime "node"');
  }
}
