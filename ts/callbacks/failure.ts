/** What Python is told of a handler that failed: the map "Error" of docs/protocol.md. */

import { SynapseError } from '../errors/index.js';
import { RoutingFailure } from './routing.js';

/** Standard properties of errors, which have fields of their own. */
const STANDARD = new Set(['name', 'message', 'stack', 'cause']);

/** An error as it crosses. */
export interface HostFailure {
  readonly code: string;
  /** The error's `name`. */
  readonly type: string;
  readonly message: string;
  /** The error's `stack`. */
  readonly traceback: string;
  /** The error's own properties. Where they cannot cross, they are left out. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Describes whatever a handler threw. */
export function describeThrown(thrown: unknown): HostFailure {
  if (thrown instanceof RoutingFailure) {
    const { name, message, candidates } = thrown;
    const data = { available: candidates };
    return { code: 'HANDLER_NOT_FOUND', type: name, message, traceback: '', data };
  }
  if (!isErrorLike(thrown)) {
    const message = typeof thrown === 'string' ? thrown : `a handler threw ${text(thrown)}`;
    const data = { value: thrown };
    return { code: 'HOST_ERROR', type: 'Error', message: crossing(message), traceback: '', data };
  }
  const own = Object.entries(thrown).filter(
    ([key, value]) => !STANDARD.has(key) && typeof value !== 'function',
  );
  const { cause } = thrown;
  if (isErrorLike(cause)) {
    own.push(['cause', { name: text(cause.name), message: text(cause.message) }]);
  }
  return {
    code: 'HOST_ERROR',
    type: crossing(text(thrown.name)),
    message: crossing(text(thrown.message)),
    traceback: crossing(text(thrown.stack ?? '')),
    data: Object.fromEntries(own),
  };
}

/** The same without what may not cross. */
export function withoutData({ data: _, ...rest }: HostFailure): HostFailure {
  return rest;
}

/** An answer that cannot cross. */
export function describeRefusal(refusal: SynapseError): HostFailure {
  const { name, message, code } = refusal;
  const path = (refusal as { readonly path?: string }).path;
  const data = path === undefined ? {} : { path };
  return { code, type: name, message, traceback: '', data };
}

function isErrorLike(value: unknown): value is Error {
  if (value instanceof Error || SynapseError.is(value)) return true;
  // Of another realm.
  return Object.prototype.toString.call(value) === '[object Error]';
}

function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Lone surrogates do not cross. */
function crossing(value: string): string {
  return Buffer.from(value).toString();
}
