/** Stacks as V8 gives them: Jest's own mapping shifts the names of functions by one frame. */
export function withPlainStacks<Result>(run: () => Result): Result {
  const before = Error.prepareStackTrace;
  Error.prepareStackTrace = (error, frames) =>
    [String(error), ...frames.map((frame) => `    at ${String(frame)}`)].join('\n');
  try {
    return run();
  } finally {
    if (before === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Error.prepareStackTrace = before;
  }
}
