/** Input streams among the arguments of a call that waits until it can be sent. */

import { Kwargs } from '../kwargs.js';
import { isPlain } from '../options/checks.js';
import { InputStream, isInput } from './input.js';

/** Of a `Readable`, what tells that it has failed. */
interface Failing {
  on?(event: 'error', listener: (reason: unknown) => void): unknown;
  off?(event: 'error', listener: (reason: unknown) => void): unknown;
}

/**
 * Waits for what lets a call go, for no longer than its input streams last: one that fails meanwhile
 * is the end of the call, for nobody is there who could read it. The streams of a call that does not
 * go are ended.
 *
 * @throws what the stream has failed of, or what `admission` rejects with
 */
export async function waitWithInputs<Admitted>(
  args: unknown,
  admission: Promise<Admitted>,
): Promise<Admitted> {
  const sources = inputsIn(args);
  if (sources.length === 0) return admission;
  // From now on an `error` finds a listener, also between this wait and the encoding of the call.
  const inputs = sources.map((source) => new InputStream(source));
  let fail!: (reason: unknown) => void;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  for (const source of sources) source.on?.('error', fail);
  try {
    return await Promise.race([admission, failure]);
  } catch (cause) {
    for (const input of inputs) input.close();
    throw cause;
  } finally {
    for (const source of sources) source.off?.('error', fail);
  }
}

/** Whether a call that carries this has to wait by {@link waitWithInputs}. */
export function holdsInputs(args: unknown): boolean {
  return inputsIn(args).length > 0;
}

/** The input streams that a value holds. Getters are not run: the encoder does that, once. */
function inputsIn(value: unknown): Failing[] {
  const found: Failing[] = [];
  const seen = new Set<object>();
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const next = rest.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (isInput(next)) found.push(next);
    else for (const part of partsOf(next)) rest.push(part);
  }
  return found;
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return value.values();
  if (Kwargs.is(value)) return [value.values];
  if (!isPlain(value)) return [];
  return Object.values(Object.getOwnPropertyDescriptors(value)).map(({ value: part }) => part);
}
