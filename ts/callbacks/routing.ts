/** From the name that Python uses to the handler that it means. */

/** No handler, or more than one, answers to a name. */
export class RoutingFailure extends Error {
  /** The names that it could have been. */
  readonly candidates: readonly string[];

  constructor(message: string, candidates: readonly string[]) {
    super(message);
    this.name = 'HandlerNotFoundError';
    this.candidates = candidates;
  }
}

/**
 * The full name of the handler that `wanted` means. In this order: the name itself; the only name
 * that ends with `.wanted`; the only handler of the module `wanted`.
 *
 * @throws RoutingFailure if there is none, or if a step finds several
 */
export function route(names: readonly string[], wanted: string): string {
  if (names.includes(wanted)) return wanted;
  const ending = names.filter((name) => name.endsWith(`.${wanted}`));
  const within = names.filter((name) => name.startsWith(`${wanted}.`));
  for (const found of [ending, within]) {
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    if (found.length > 1) {
      throw new RoutingFailure(
        `"${wanted}" could be each of these handlers: ${found.join(', ')}`,
        found,
      );
    }
  }
  const list = names.length === 0 ? 'none' : names.join(', ');
  throw new RoutingFailure(`the host has no handler "${wanted}"; available: ${list}`, names);
}
