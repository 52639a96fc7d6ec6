/** Takes fields out of a record of unknown content: what has another type counts as absent. */

/** A record, and which of its fields have been asked for. */
export class Reader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #taken = new Set<string>();

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#take(name);
    return typeof value === 'number' ? value : undefined;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#take(name);
    return typeof value === 'boolean' ? value : undefined;
  }

  oneOf<Text extends string>(name: string, texts: readonly Text[]): Text | undefined {
    const value = this.#take(name);
    return texts.find((text) => text === value);
  }

  texts(name: string): string[] | undefined {
    const value = this.#take(name);
    return Array.isArray(value)
      ? value.filter((item): item is string => typeof item === 'string')
      : undefined;
  }

  record(name: string): Readonly<Record<string, unknown>> | undefined {
    return asRecord(this.#take(name));
  }

  /** An array of records. */
  records(name: string): Readonly<Record<string, unknown>>[] | undefined {
    const value = this.#take(name);
    if (!Array.isArray(value)) return undefined;
    return value.map(asRecord).filter((record) => record !== undefined);
  }

  /** An array of records, each read by `read`. */
  list<Item>(name: string, read: (item: Reader) => Item): Item[] | undefined {
    return this.records(name)?.map((record) => read(new Reader(record)));
  }

  /** Leaves fields out of {@link rest}. */
  drop(...names: readonly string[]): this {
    for (const name of names) this.#taken.add(name);
    return this;
  }

  /** The fields that nobody has asked for and that hold something; undefined if there are none. */
  rest(): Readonly<Record<string, unknown>> | undefined {
    const left = Object.entries(this.#fields).filter(
      ([name, value]) => value !== null && value !== undefined && !this.#taken.has(name),
    );
    return left.length === 0 ? undefined : Object.fromEntries(left);
  }

  #take(name: string): unknown {
    this.#taken.add(name);
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }
}

/** A decoded map is a plain object, or a `Map` if a key is no string. */
function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}
