/**
 * The worker's file finds `@himalaya-quant/synapse/worker` wherever it lies: where Node itself does not
 * find the package from there, the copy that started the worker is taken.
 */

import Module, { createRequire, register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const NAME = '@himalaya-quant/synapse/worker';
const ROOT = join(__dirname, '..', '..');

/** Node's module system, as far as its types do not say: newer versions hook without a thread. */
interface Hookable {
  registerHooks?(hooks: {
    resolve(
      specifier: string,
      context: unknown,
      next: (specifier: string, context: unknown) => unknown,
    ): unknown;
  }): void;
  _resolveFilename(request: string, ...rest: unknown[]): string;
}

/** Makes the package known to `entry`, if it is not. */
export function provideSdk(entry: string): void {
  try {
    createRequire(entry).resolve(NAME);
    return;
  } catch {
    // Not installed where the worker lies.
  }
  const modules = Module as unknown as Hookable;
  const file = join(ROOT, 'worker.js');
  const url = pathToFileURL(join(ROOT, 'worker.mjs')).href;
  if (modules.registerHooks !== undefined) {
    const required = pathToFileURL(file).href;
    modules.registerHooks({
      resolve: (specifier, context, next) => {
        if (specifier !== NAME) return next(specifier, context);
        const { conditions } = context as { readonly conditions?: readonly string[] };
        return { url: conditions?.includes('require') ? required : url, shortCircuit: true };
      },
    });
    return;
  }
  const resolve = modules._resolveFilename.bind(Module);
  modules._resolveFilename = (request, ...rest) =>
    request === NAME ? file : resolve(request, ...rest);
  if (!/\.c[jt]s$/.test(entry)) {
    const source = `export const resolve = (specifier, context, next) =>
      specifier === ${JSON.stringify(NAME)}
        ? { url: ${JSON.stringify(url)}, shortCircuit: true }
        : next(specifier, context);`;
    register(`data:text/javascript,${encodeURIComponent(source)}`);
  }
}
