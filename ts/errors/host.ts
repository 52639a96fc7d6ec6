/** The error of a handler in Node, after its way through Python. */

import type { Reader } from './reader.js';

/** What the SDK raises when a handler in Node has thrown. */
const RAISED = ['synapse.HostError', 'synapse.HandlerNotFound'];

/**
 * The error that a handler in Node threw, made again of what Python sent back; undefined if the
 * exception is of another kind.
 *
 * @param type the exception's class
 * @param data the exception's attributes
 */
export function hostError(type: string | undefined, data: Reader | undefined): Error | undefined {
  if (type === undefined || data === undefined || !RAISED.includes(type)) return undefined;
  const error = new Error(data.text('message') ?? '');
  const own = data.record('data') ?? {};
  for (const [name, value] of Object.entries(own)) {
    if (!(name in error) && name !== 'cause') Object.assign(error, { [name]: value });
  }
  const hidden = { configurable: true, enumerable: false, writable: true };
  const { cause } = own;
  if (typeof cause === 'object' && cause !== null) {
    Object.defineProperty(error, 'cause', { ...hidden, value: asError(cause) });
  }
  Object.defineProperty(error, 'name', { ...hidden, value: data.text('name') ?? 'Error' });
  Object.defineProperty(error, 'stack', { ...hidden, value: data.text('stack') ?? '' });
  return error;
}

/** What led to it: no more than name and message have crossed. */
function asError({ name, message }: { name?: unknown; message?: unknown }): Error {
  const error = new Error(String(message));
  Object.defineProperty(error, 'name', { configurable: true, value: String(name), writable: true });
  // Its frames would be those of this function.
  error.stack = `${String(name)}: ${String(message)}`;
  return error;
}
