/** The module's handlers, by name and number, as its workers announce them. */

import type { CallTarget } from './calls.js';
import { HandlerNotFoundError } from './errors/index.js';
import { nearest, show } from './options/index.js';
import type { Redactor } from './redaction.js';
import { RESERVED } from './reserved.js';

/** What a worker says of a handler. See "Hello" in docs/protocol.md. */
export interface HandlerInfo {
  /** What it is called by. */
  readonly name: string;
  /** `function`, `coroutine`, `generator` or `async_generator`. */
  readonly kind?: string;
  readonly [about: string]: unknown;
}

/** The table of one target. Numbers are the engine's and never change; names are only added. */
export class Handlers {
  readonly #redactor: Redactor | undefined;
  readonly #numbers = new Map<string, number>();
  readonly #targets: CallTarget[] = [];
  #names: readonly string[] = [];
  #infos: readonly HandlerInfo[] = [];
  #streams: ReadonlySet<string> = new Set();

  /** @param redactor hides secrets in what is refused */
  constructor(redactor?: Redactor) {
    this.#redactor = redactor;
  }

  /** Takes a worker's announcement. */
  learn(announced: { names: readonly string[]; about: readonly HandlerInfo[] }): void {
    announced.names.forEach((name, number) => {
      this.#numbers.set(name, number);
    });
    this.#names = announced.names;
    this.#infos = announced.about;
    this.#streams = new Set(announced.about.filter(yields).map(({ name }) => name));
  }

  /**
   * The number of a handler.
   *
   * @throws HandlerNotFoundError that lists the names there are
   * @throws TypeError if callers without types gave no name
   */
  demand(name: string): number {
    const number = this.#numbers.get(name);
    if (number !== undefined) return number;
    if (typeof name !== 'string') {
      throw new TypeError(`the name of a handler must be a string, got ${show(name)}`);
    }
    const available = this.names();
    const list = available.length === 0 ? 'none' : available.join(', ');
    const message = `there is no handler "${name}"; available: ${list}`;
    const similar = nearest(name, name.startsWith(RESERVED) ? this.#names : available);
    let hint = similar === undefined ? undefined : `did you mean "${similar}"?`;
    if (available.length === 0) hint = 'a script of version 1.4 has no names: use call(input)';
    const refusal = new HandlerNotFoundError(message, { handler: name, available, hint });
    throw this.#redactor?.error(refusal) ?? refusal;
  }

  /** Whether a handler yields. */
  isStream(name: string): boolean {
    return this.#streams.has(name);
  }

  /** What a call of a handler needs to know: made once for each form of arguments. */
  target(number: number, form: number): CallTarget {
    const key = number * 4 + form;
    let target = this.#targets[key];
    if (target === undefined) {
      const name = this.#names[number];
      target = { handler: number, name, form, credit: 0, finish: undefined };
      this.#targets[key] = target;
    }
    return target;
  }

  /** Those of the user. */
  names(): string[] {
    return this.#infos.map((info) => info.name).filter((name) => !name.startsWith(RESERVED));
  }
}

function yields({ kind }: HandlerInfo): boolean {
  return kind === 'generator' || kind === 'async_generator';
}
