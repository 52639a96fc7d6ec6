/** The module's handlers, by name and number, as its workers announce them. */

/** What a worker says of a handler. See "Hello" in docs/protocol.md. */
export interface HandlerInfo {
  readonly name: string;
  /** `function`, `coroutine`, `generator` or `async_generator`. */
  readonly kind?: string;
  readonly [about: string]: unknown;
}

/** The table of one target. Numbers are the engine's and never change; names are only added. */
export class Handlers {
  readonly #numbers = new Map<string, number>();
  #infos: readonly HandlerInfo[] = [];

  /** Takes a worker's announcement. */
  learn(announced: { names: readonly string[]; about: readonly HandlerInfo[] }): void {
    announced.names.forEach((name, number) => {
      this.#numbers.set(name, number);
    });
    this.#infos = announced.about;
  }

  /** The number of a handler. */
  find(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  names(): string[] {
    return this.#infos.map((info) => info.name);
  }
}
