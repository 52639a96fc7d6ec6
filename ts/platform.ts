/** What to tell a user whose platform package is missing or does not load. */

/** The libc of this process, as npm names it; `undefined` where there is only one. */
function libc(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** The native engine could not be loaded. */
export class NativeLoadError extends Error {
  /** As of any error: the name of its class. */
  override readonly name = 'NativeLoadError';
  /** A stable name, as other errors have one. */
  readonly code = 'NATIVE_LOAD_FAILED';

  constructor(cause: unknown) {
    const parts = [process.platform, process.arch, libc()].filter((part) => part !== undefined);
    const suffix = parts.join('-').replace('-glibc', '-gnu');
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `the native engine for ${parts.join(' ')} could not be loaded: ${reason}. ` +
        `It comes with the optional package @himalaya-quant/synapse-${suffix}: install without ` +
        '--omit=optional, and on the platform that runs it.',
      { cause },
    );
  }
}
