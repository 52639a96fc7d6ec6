/** What the host is told of an error: the map "Error" of docs/protocol.md. */

import { dirname, sep } from 'node:path';
import { EncodeFailure } from '../codec/index.js';
import { HostError } from './host.js';

/** Errors of a chain of causes that are reported. */
const CHAIN = 16;
/** Standard properties of errors, which have fields of their own. */
const STANDARD = new Set(['name', 'message', 'stack', 'cause']);

/** Where the compiled package lies. */
const OURS = `${dirname(__dirname)}${sep}`;

/** An error as it crosses. */
export interface Failure {
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
  readonly mro?: readonly string[];
  readonly cause?: Failure;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Describes whatever was thrown. */
export function describeError(thrown: unknown, code?: string, depth = 0): Failure {
  if (!(thrown instanceof Error) && Object.prototype.toString.call(thrown) !== '[object Error]') {
    const message = typeof thrown === 'string' ? thrown : `a handler threw ${text(thrown)}`;
    const data = { value: thrown };
    return { code: 'PYTHON_ERROR', type: 'Error', message: clean(message), traceback: '', data };
  }
  const error = thrown as Error;
  const described = {
    code: code ?? (error instanceof EncodeFailure ? 'ENCODE' : 'PYTHON_ERROR'),
    type: clean(text(error.name)),
    mro: ancestors(error),
    message: clean(text(error.message)),
    traceback: error instanceof EncodeFailure ? '' : stackOf(error),
    data: ownData(error),
  };
  if (error instanceof HostError) {
    // As Python's SDK sends it: the host makes the error that it was again of this.
    const { hostName: name, message, hostStack: stack, data } = error;
    return { ...described, type: 'synapse.HostError', data: { name, message, stack, data } };
  }
  if (error.cause === undefined || depth >= CHAIN) return described;
  return { ...described, cause: describeError(error.cause, undefined, depth + 1) };
}

/** The same without what may not cross. */
export function withoutData(failure: Failure): Failure {
  const { data: _, cause, ...rest } = failure;
  return cause === undefined ? rest : { ...rest, cause: withoutData(cause) };
}

function ownData(error: Error): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(error).filter(
      ([name, value]) => !STANDARD.has(name) && typeof value !== 'function',
    ),
  );
}

/** The stack down to where this package called the user's code. */
function stackOf(error: Error): string {
  const lines = clean(text(error.stack ?? '')).split('\n');
  const ours = lines.findIndex((line) => line.startsWith('    at ') && line.includes(OURS));
  // What lies between is how Node runs code with a context.
  const end = lines[ours - 1]?.includes('AsyncLocalStorage.run') ? ours - 1 : ours;
  return (ours > 0 ? lines.slice(0, end) : lines).join('\n');
}

/** Names of the classes above an error's own, nearest first. */
function ancestors(error: Error): string[] {
  const names: string[] = [];
  let level: unknown = Object.getPrototypeOf(Object.getPrototypeOf(error));
  while (level !== null && level !== Object.prototype && names.length < CHAIN) {
    const name: unknown = (level as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === 'string') names.push(name);
    level = Object.getPrototypeOf(level);
  }
  return names;
}

function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Lone surrogates do not cross. */
export function clean(value: string): string {
  return (value as unknown as { toWellFormed(): string }).toWellFormed();
}
