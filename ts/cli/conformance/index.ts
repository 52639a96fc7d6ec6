/** Checks whether a command starts a worker that speaks the protocol. */

import { CHECKS, type Check, REQUIRED } from './checks.js';
import { Peer, Violation } from './peer.js';
import { Session } from './session.js';

/** How one check went. */
interface Outcome {
  readonly name: string;
  readonly verdict: 'ok' | 'FAILED' | 'not offered';
  readonly note: string;
}

/**
 * Runs every check.
 *
 * @param command the worker's program and its arguments
 * @param patience milliseconds that anything may take
 * @param only text that the names of the checks hold; empty for all of them
 * @returns whether none failed, and the report
 */
export async function conformance(
  command: readonly string[],
  patience: number,
  only = '',
): Promise<{ passed: boolean; text: string }> {
  const outcomes: Outcome[] = [];
  const examination = new Examination(command, patience);
  try {
    const missing = await examination.missing(REQUIRED);
    const note = missing.length === 0 ? '' : `no handler ${missing.join(', ')}`;
    outcomes.push({ name: 'hello', verdict: note === '' ? 'ok' : 'FAILED', note });
    const wanted = note === '' ? CHECKS.filter(({ name }) => name.includes(only)) : [];
    for (const check of wanted) outcomes.push(await examination.run(check));
  } catch (cause) {
    outcomes.push({ name: 'hello', verdict: 'FAILED', note: messageOf(cause) });
  } finally {
    await examination.end();
  }
  return { passed: outcomes.every(({ verdict }) => verdict !== 'FAILED'), text: report(outcomes) };
}

/** One command under examination. Most checks share a worker, as long as it lives. */
class Examination {
  readonly #command: readonly string[];
  readonly #patience: number;
  #shared: Session | undefined;
  #peer: Peer | undefined;

  constructor(command: readonly string[], patience: number) {
    this.#command = command;
    this.#patience = patience;
  }

  /** The handlers among `names` that the worker does not offer. */
  async missing(names: readonly string[]): Promise<string[]> {
    const session = await this.#session();
    return names.filter((name) => !session.has(name));
  }

  async run({ name, needs = [], alone, run }: Check): Promise<Outcome> {
    let own: Peer | undefined;
    try {
      const missing = await this.missing(needs);
      if (missing.length > 0) {
        return { name, verdict: 'not offered', note: `no handler ${missing.join(', ')}` };
      }
      let session: Session;
      if (alone === undefined) session = await this.#session();
      else {
        own = new Peer(this.#command, this.#patience, alone === true ? {} : alone);
        session = await Session.open(own);
      }
      return { name, verdict: 'ok', note: (await run(session)) ?? '' };
    } catch (cause) {
      // What a worker that has failed once does next says nothing.
      if (own === undefined) await this.end();
      return { name, verdict: 'FAILED', note: messageOf(cause) };
    } finally {
      await own?.kill();
    }
  }

  async end(): Promise<void> {
    this.#shared = undefined;
    await this.#peer?.kill();
    this.#peer = undefined;
  }

  async #session(): Promise<Session> {
    if (this.#shared === undefined) {
      this.#peer = new Peer(this.#command, this.#patience);
      this.#shared = await Session.open(this.#peer);
    }
    return this.#shared;
  }
}

function messageOf(cause: unknown): string {
  if (cause instanceof Violation) return cause.message;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

function report(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(
    ({ name, verdict, note }) => `${verdict.padEnd(11)} ${name}${note === '' ? '' : `: ${note}`}`,
  );
  const count = (wanted: Outcome['verdict']): number =>
    outcomes.filter(({ verdict }) => verdict === wanted).length;
  const numbers = `${count('ok')} ok, ${count('FAILED')} failed, ${count('not offered')} not offered`;
  return `${lines.join('\n')}\n\n${numbers}\n`;
}
