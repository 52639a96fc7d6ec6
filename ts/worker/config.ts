/** What the host decides about a worker, as JSON in a variable. See "Starting a worker" in docs/protocol.md. */

/** The variable that holds it. */
const VARIABLE = 'SYNAPSE_WORKER';

/** What the host decides. */
export interface Config {
  /** Descriptors of the channels. */
  readonly dataIn: number;
  readonly dataOut: number;
  readonly control: number;
  /** Where the user's code is. */
  readonly directory: string;
  /** The file to run; undefined if the command line names it. */
  readonly entry: string | undefined;
  /** Calls at once. */
  readonly concurrency: number;
  /** Greatest payload, in bytes. */
  readonly frame: number;
  /** Deepest nesting of values. */
  readonly depth: number;
  /** Milliseconds between heartbeats; 0 for none. */
  readonly heartbeatMs: number;
  /** The host's process; 0 if unknown. */
  readonly parent: number;
  /** What becomes of standard output and standard error: `event`, `inherit` or `ignore`. */
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Takes the configuration out of the environment, so that what the worker starts does not find it.
 *
 * @throws Error if it is not there
 */
export function takeConfig(): Config {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (text === undefined) {
    throw new Error(`${VARIABLE} is not set: workers are started by Synapse, see docs/runtimes.md`);
  }
  const given = JSON.parse(text) as Record<string, unknown>;
  const limits = (given['limits'] ?? {}) as Record<string, number>;
  const serial = given['mode'] === 'serial';
  return {
    dataIn: (given['data_in'] as number) ?? 3,
    dataOut: (given['data_out'] as number) ?? 4,
    control: (given['control'] as number) ?? 5,
    directory: given['directory'] as string,
    entry: (given['entry'] as string | null) ?? undefined,
    concurrency: serial ? 1 : ((given['concurrency'] as number) ?? 1),
    frame: limits['frame'] ?? 256 * 1024 * 1024,
    depth: limits['depth'] ?? 512,
    heartbeatMs: (given['heartbeat_ms'] as number) ?? 0,
    parent: (given['parent'] as number) ?? 0,
    stdout: (given['stdout'] as string) ?? 'event',
    stderr: (given['stderr'] as string) ?? 'event',
  };
}
