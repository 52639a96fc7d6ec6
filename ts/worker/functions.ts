/** Functions and input streams of the host that came among the arguments of calls. */

import { Decoder, type ExtensionValue } from '../codec/index.js';
import { Kwargs } from '../kwargs.js';
import type { HostCall } from './host.js';

/** The extension type of functions: the MessagePack array `[reference, name]`. */
const EXTENSION_FUNCTION = 5;
/** That of input streams: the reference. */
const EXTENSION_INPUT = 6;

/** A function of the host. */
export type HostFunction = (...args: unknown[]) => HostCall;

/** What a worker does for them. */
export interface FunctionOwner {
  callFunction(
    reference: number,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>> | undefined,
  ): HostCall;
  releaseFunction(reference: number): void;
}

/** Makes functions of references and references of functions. */
export class HostFunctions {
  readonly #owner: FunctionOwner;
  readonly #payloads = new WeakMap<object, Buffer>();
  readonly #gone: FinalizationRegistry<number>;
  readonly #decoder = new Decoder();

  constructor(owner: FunctionOwner) {
    this.#owner = owner;
    // The host keeps a function until it is told that nobody here can call it any more.
    this.#gone = new FinalizationRegistry((reference) => owner.releaseFunction(reference));
  }

  /** The hook of the decoder. */
  decode(type: number, data: Buffer): HostFunction | AsyncIterable<unknown> | undefined {
    if (type === EXTENSION_INPUT) return this.#input(this.#decoder.decode(Buffer.from(data)));
    if (type !== EXTENSION_FUNCTION) return undefined;
    const payload = Buffer.from(data);
    const parts = this.#decoder.decode(payload);
    if (!Array.isArray(parts) || typeof parts[0] !== 'number') return undefined;
    const [reference, name] = parts as [number, unknown];
    const run: HostFunction = (...args) => {
      const last = args.at(-1);
      return Kwargs.is(last)
        ? this.#owner.callFunction(reference, args.slice(0, -1), last.values)
        : this.#owner.callFunction(reference, args, undefined);
    };
    Object.defineProperty(run, 'name', { value: String(name ?? ''), configurable: true });
    this.#payloads.set(run, payload);
    this.#gone.register(run, reference);
    return run;
  }

  /** An input stream: nothing is taken from its source before somebody iterates over it. */
  #input(reference: unknown): AsyncIterable<unknown> | undefined {
    if (typeof reference !== 'number') return undefined;
    const open = (): AsyncIterator<unknown> =>
      this.#owner.callFunction(reference, [], undefined)[Symbol.asyncIterator]();
    const input = { [Symbol.asyncIterator]: open };
    this.#gone.register(input, reference);
    return input;
  }

  /** The hook of the encoder: sent back, it is the host's own function again. */
  encode(value: object): ExtensionValue | undefined {
    const data = this.#payloads.get(value);
    return data === undefined ? undefined : { type: EXTENSION_FUNCTION, data };
  }
}
