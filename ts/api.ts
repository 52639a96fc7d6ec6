/** The typed proxy over `invoke` and `stream`: `api.text.upper('x')` invokes `text.upper`. */

import { type CallOptions, normalizeCallOptions } from './options/index.js';
import type { PythonStream } from './stream.js';

/** The async form of what a function of the module returns: generators are streams. */
type Answer<Result> = Result extends
  | AsyncIterable<infer Item>
  | AsyncIterator<infer Item, unknown, never>
  ? PythonStream<Item>
  : Result extends Iterator<infer Item, unknown, never>
    ? PythonStream<Item>
    : Promise<Awaited<Result>>;

/** The async form of a module's functions. */
export type Api<Module> = {
  readonly [Name in keyof Module]: Module[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Answer<Result>
    : Api<Module[Name]>;
};

/** How a function of the proxy is called: with its dotted name and the arguments. */
type Reach = (name: string, args: unknown[]) => unknown;

/**
 * @param options of the calls, which are looked at before any is made
 * @param reach does a call, with these options
 * @throws TypeError or RangeError that names the option and echoes the value
 */
export function createApi<Module>(options: CallOptions | undefined, reach: Reach): Api<Module> {
  normalizeCallOptions(options);
  return createLevel('', reach) as Api<Module>;
}

function createLevel(path: string, reach: Reach): unknown {
  const levels = new Map<string, unknown>();
  const target = (...args: unknown[]): unknown => reach(path, args);
  return new Proxy(target, {
    get(_, name) {
      // A promise that resolves with the proxy must not take it for a promise.
      if (typeof name === 'symbol' || (name === 'then' && path === '')) return undefined;
      let level = levels.get(name);
      if (level === undefined) {
        level = createLevel(path === '' ? name : `${path}.${name}`, reach);
        levels.set(name, level);
      }
      return level;
    },
  });
}
