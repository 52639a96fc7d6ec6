/**
 * No worker outlives this process or thread. Signals and SIGKILL are the native side's business;
 * a normal exit, `process.exit()` and an uncaught throw run 'exit' handlers and nothing else.
 */

const live = new Set<{ kill(): void }>();

function killAll(): void {
  for (const engine of live) engine.kill();
}

/** From now on the engine's processes are ended when this process or thread exits. */
export function guardExit(engine: { kill(): void }): void {
  if (live.size === 0) process.on('exit', killAll);
  live.add(engine);
}

/** The engine has no processes any more. */
export function releaseExit(engine: { kill(): void }): void {
  live.delete(engine);
  if (live.size === 0) process.off('exit', killAll);
}
