/** Programs: what one handler makes, kept in a session, and given to the handler that runs it. */

import type { CallOptions } from '../options/index.js';
import { refusal, show } from '../options/invalid.js';
import { knownNames } from '../options/names.js';

/** In front of a program's id it is the key of a session. */
const PREFIX = 'program:';

/** Which handlers make and run programs. All may be absent. */
export interface ProgramCommands {
  /** Answers `{ program_id, metadata }`; default `create_program`. */
  readonly create?: string | undefined;
  /** Takes one object, with `program_data` and `session_id` in it; default `execute_program`. */
  readonly execute?: string | undefined;
}

/** What a creating handler answers. */
export interface CreatedProgram {
  /** Its id; unlike other names written as in Python, for it is what the handler answers. */
  readonly program_id: string;
  /** What running the program needs; kept in the session. */
  readonly metadata?: unknown;
  readonly [more: string]: unknown;
}

/** What programs need of their session. */
export interface ProgramSession {
  readonly id: string;
  invoke<Result>(name: string, args?: unknown, options?: CallOptions): Promise<Result>;
  entries(): Promise<Map<string, unknown>>;
  set(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<boolean>;
}

/** Programs of one session; made by its `programs()`. */
export class Programs {
  readonly #session: ProgramSession;
  readonly #create: string;
  readonly #execute: string;

  /** @throws TypeError if a command is no name of a handler */
  constructor(session: ProgramSession, commands: ProgramCommands) {
    const { create, execute } = knownNames('programs', commands, ['create', 'execute']);
    this.#session = session;
    this.#create = command('create', create ?? 'create_program');
    this.#execute = command('execute', execute ?? 'execute_program');
  }

  /**
   * Calls the creating handler, and keeps the `metadata` of its reply under its `program_id`.
   *
   * @param args as for `invoke`
   * @returns the whole reply
   * @throws TypeError if the reply has no `program_id`; nothing is kept then
   * @throws SessionError `SESSION_QUOTA_EXCEEDED` if the session would hold too much
   */
  async create<Created extends CreatedProgram = CreatedProgram>(
    args?: unknown,
    options?: CallOptions,
  ): Promise<Created> {
    const reply = await this.#session.invoke<unknown>(this.#create, args, options);
    const created = isObject(reply) ? reply : {};
    const { program_id: id, metadata = null } = created;
    if (typeof id !== 'string' || id === '') {
      const wanted = 'must answer an object whose program_id is a string that is not empty';
      throw new TypeError(`handler "${this.#create}" ${wanted}, got ${show(reply)}`);
    }
    await this.#session.set(PREFIX + id, metadata);
    return created as Created;
  }

  /**
   * Calls the executing handler with one object: `args`, what was kept as `program_data`, and the
   * session's id as `session_id`. Those two win over names of `args`.
   *
   * @throws RangeError that lists the known ids, if there is no such program
   */
  async execute<Result = unknown>(
    programId: string,
    args: Readonly<Record<string, unknown>> = {},
    options?: CallOptions,
  ): Promise<Result> {
    if (!isObject(args)) {
      throw new TypeError(`args of program "${programId}" must be an object, got ${show(args)}`);
    }
    const entries = await this.#session.entries();
    if (!entries.has(PREFIX + programId)) {
      const known = idsOf(entries).join(', ') || 'none';
      const place = `session "${this.#session.id}"`;
      throw new RangeError(`${place} has no program "${programId}"; known: ${known}`);
    }
    const given = {
      ...args,
      program_data: entries.get(PREFIX + programId),
      session_id: this.#session.id,
    };
    return this.#session.invoke<Result>(this.#execute, [given], options);
  }

  /** Ids of the programs that the session keeps, in the order of their making. */
  async list(): Promise<string[]> {
    return idsOf(await this.#session.entries());
  }

  /** Forgets a program; answers whether there was one. */
  async delete(programId: string): Promise<boolean> {
    return this.#session.delete(PREFIX + programId);
  }
}

function idsOf(entries: ReadonlyMap<string, unknown>): string[] {
  const keys = [...entries.keys()].filter((key) => key.startsWith(PREFIX));
  return keys.map((key) => key.slice(PREFIX.length));
}

function command(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw refusal(`programs.${name}`, 'the name of a handler', value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
