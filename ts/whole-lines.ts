/**
 * Lines of output, whole: a secret that its writer flushes in two parts is found only in what both
 * make together (option `redact`).
 */

import type { EngineEvent } from './engine.js';

/** Text without a line's end waits so long for more, in ms: a prompt, for which nothing comes, too. */
const PATIENCE = 200;

/** Text that goes on and on waits no longer than this in all, in ms. */
const LONGEST_WAIT = 1000;

/** Characters of a text that wait at most; what is above goes on as it is. */
const MOST_HELD = 1024 * 1024;

// Jest's fake timers must not hold output back.
const { setTimeout, clearTimeout, setImmediate } = globalThis;

/** What was written and does not end with a line. */
interface Held {
  /** As it came, but for the text, to which more is added. */
  event: EngineEvent;
  /** When its first part came. */
  readonly since: number;
  /** Counts its parts. */
  parts: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Puts the log events of standard output and standard error together to whole lines: of each worker,
 * stream and call apart, for a line has one writer. Records of `logging` are whole as they come.
 */
export class WholeLines {
  readonly #tell: (event: EngineEvent) => void;
  readonly #held = new Map<string, Held>();
  /** Calls that were answered since the last {@link settle}. */
  readonly #answered: number[] = [];

  /** @param tell gets the events, in the order of each writer */
  constructor(tell: (event: EngineEvent) => void) {
    this.#tell = tell;
  }

  /** Takes a log event: it is told with the end of its line, or when nothing more has come. */
  take(event: EngineEvent): void {
    if (event['stream'] === 'logging') {
      this.#tell(event);
      return;
    }
    const key = `${event['worker']} ${event['stream']} ${event['callId'] ?? ''}`;
    const held = this.#held.get(key);
    const text = textOf(event);
    if (held === undefined) {
      if (text.endsWith('\n')) this.#tell(event);
      else this.#hold(key, event);
      return;
    }
    held.event = { ...held.event, text: textOf(held.event) + text };
    held.parts++;
    if (text.endsWith('\n')) this.#release(key, held);
    else if (isTooMuch(held)) this.#releaseLines(key, held);
    else held.timer?.refresh();
  }

  /** The call has its answer: what is held of it is told by {@link settle}. */
  answered(call: number): void {
    // Also if nothing is held yet: in what comes at once, answers are read before events.
    this.#answered.push(call);
  }

  /** Tells what is held of calls that are answered, before their callers go on. */
  settle(): void {
    if (this.#answered.length === 0) return;
    const calls = new Set<unknown>(this.#answered.splice(0));
    this.#releaseAll(({ event }) => calls.has(event['callId']));
  }

  /** Tells what is held of a worker: it is gone. */
  exited(worker: number): void {
    this.#releaseAll(({ event }) => event['worker'] === worker);
  }

  /** Tells whatever is held. */
  finish(): void {
    this.#releaseAll(() => true);
  }

  #hold(key: string, event: EngineEvent): void {
    const held: Held = { event, since: performance.now(), parts: 1, timer: undefined };
    this.#held.set(key, held);
    this.#wait(key, held);
  }

  /** While Node was busy, more may have come that is read after timers: so those who wait let it in. */
  #wait(key: string, held: Held): void {
    const whenQuiet = (): void => {
      const { parts } = held;
      setImmediate(() => {
        if (this.#held.get(key) !== held) return;
        if (held.parts === parts) this.#release(key, held);
        else held.timer?.refresh();
      });
    };
    // Idle workers keep Node up, or do not: what they wrote changes nothing about it.
    held.timer = setTimeout(whenQuiet, PATIENCE).unref();
  }

  #releaseAll(isMeant: (held: Held) => boolean): void {
    for (const [key, held] of this.#held) {
      if (isMeant(held)) this.#release(key, held);
    }
  }

  #release(key: string, held: Held): void {
    clearTimeout(held.timer);
    this.#held.delete(key);
    this.#tell(held.event);
  }

  /** Tells the lines that are finished and holds the rest; if there is no line, all of it is told. */
  #releaseLines(key: string, held: Held): void {
    const text = textOf(held.event);
    const end = text.lastIndexOf('\n') + 1 || text.length;
    const rest = text.slice(end);
    const { event } = held;
    held.event = { ...event, text: text.slice(0, end) };
    this.#release(key, held);
    if (rest !== '') this.#hold(key, { ...event, text: rest });
  }
}

function textOf(event: EngineEvent): string {
  return event['text'] as string;
}

function isTooMuch({ event, since }: Held): boolean {
  return textOf(event).length > MOST_HELD || performance.now() - since > LONGEST_WAIT;
}
