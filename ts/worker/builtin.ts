/**
 * What every worker answers besides the user's handlers: `synapse.ping` and `synapse.info`. They are
 * numbered behind those of the user, and no list of handlers shows them.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESERVED } from '../reserved.js';
import { describeHandler, type Handler } from './registry.js';

/**
 * The handlers of this worker, which gets ready now.
 *
 * @param own the user's
 * @param concurrency calls that run at once
 * @param count how many run
 */
export function builtinHandlers(
  own: readonly Handler[],
  concurrency: number,
  count: () => number,
): Handler[] {
  const began = performance.now();
  const uptime = (): number => (performance.now() - began) / 1e3;
  const ping = (echo: unknown = null): Record<string, unknown> => ({
    status: 'ok',
    pid: process.pid,
    runtime: runtime(),
    uptime: uptime(),
    timestamp: new Date(),
    echo,
  });
  const info = (): Record<string, unknown> => ({
    pid: process.pid,
    runtime: runtime(),
    executable: process.execPath,
    platform: process.platform,
    sdk: version(),
    mode: concurrency === 1 ? 'serial' : 'async',
    concurrency,
    uptime: uptime(),
    rss: process.memoryUsage.rss(),
    calls: count(),
    default: own.find((handler) => handler.default)?.name ?? null,
    handlers: own.map(describeHandler),
  });
  return Object.entries({ ping, info }).map(([name, run]) => ({
    name: `${RESERVED}${name}`,
    run: run as Handler['run'],
    slow: false,
  }));
}

/** The package's, which is read when somebody asks. */
function version(): string {
  const text = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** What runs the worker, and its version. */
export function runtime(): string {
  return `Node.js ${process.versions.node}`;
}
