/** The typed proxy over `invoke`: `api.text.upper('x')` invokes `text.upper`. */

/** The async form of a module's functions. */
export type Api<Module> = {
  readonly [Name in keyof Module]: Module[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : Api<Module[Name]>;
};

/** @param invoke called with the dotted name and the arguments */
export function createApi<Module>(
  invoke: (name: string, args: unknown[]) => Promise<unknown>,
): Api<Module> {
  return createLevel('', invoke) as Api<Module>;
}

function createLevel(
  path: string,
  invoke: (name: string, args: unknown[]) => Promise<unknown>,
): unknown {
  const levels = new Map<string, unknown>();
  const target = (...args: unknown[]): Promise<unknown> => invoke(path, args);
  return new Proxy(target, {
    get(_, name) {
      // A promise that resolves with the proxy must not take it for a promise.
      if (typeof name === 'symbol' || (name === 'then' && path === '')) return undefined;
      let level = levels.get(name);
      if (level === undefined) {
        level = createLevel(path === '' ? name : `${path}.${name}`, invoke);
        levels.set(name, level);
      }
      return level;
    },
  });
}
