/** What crosses to the engine. */

import type { Heartbeat } from './heartbeat.js';
import type { InstallerOption } from './installer.js';
import type { ModeOption } from './mode.js';
import type { OutputOption } from './output.js';
import type { Policies } from './policies.js';
import type { ProtocolOption } from './protocol.js';
import type { Recycle } from './recycle.js';
import type { Restart } from './restart.js';
import type { Sessions } from './sessions.js';
import type { StrategyOption } from './strategy.js';
import type { ValuesOption } from './values.js';
import type { Workers } from './workers.js';

/**
 * The options as the engine takes them: no field is missing, absent is null, and the order is that of
 * `src/driver/options.rs`.
 */
export interface NativeConfig {
  /** As the user wrote it. */
  readonly directory: string;
  /** As the user wrote it. */
  readonly entrypoint: string;
  readonly workers: Workers;
  readonly concurrency: number;
  readonly strategy: StrategyOption;
  /** In thousandths. */
  readonly weights: readonly number[];
  /** Decides whatever is left to chance. */
  readonly seed: number;
  readonly mode: ModeOption;
  readonly protocol: ProtocolOption;
  readonly runtime: 'python' | 'node' | 'command';
  /** Empty for Python. */
  readonly command: readonly string[];
  readonly values: ValuesOption;
  readonly validate: boolean;
  /** Null for any number. */
  readonly queueMax: number | null;
  readonly queueMaxGiven: boolean;
  readonly queueTimeoutMs: number | null;
  readonly restart: Restart | null;
  readonly recycle: Recycle;
  /** Null for none. */
  readonly policies: Policies | null;
  /** Null for none. */
  readonly heartbeat: Heartbeat | null;
  /** In bytes. */
  readonly frameLimit: number;
  readonly depthLimit: number;
  /** Bytes of shared memory that either side may keep idle; 0 for no shared memory. */
  readonly sharedMemory: number;
  /** In bytes. */
  readonly memoryLimit: number | null;
  /** In whole seconds. */
  readonly cpuLimit: number | null;
  readonly filesLimit: number | null;
  /** For the rest of a message. */
  readonly frameTimeoutMs: number | null;
  readonly callTimeoutMs: number | null;
  readonly startTimeoutMs: number | null;
  readonly graceMs: number;
  readonly sessions: Sessions;
  /** A managed one as `managed:3.12`. */
  readonly python: string | null;
  readonly installer: InstallerOption;
  readonly requirements: string | null;
  readonly offline: boolean;
  /** The variables of the thread that calls `spawn`. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string>>;
  readonly inheritEnv: boolean | readonly string[];
  readonly cwd: string | null;
  readonly stdout: OutputOption;
  readonly stderr: OutputOption;
  /** Absolute paths. */
  readonly pythonPath: readonly string[];
  /** Absolute path of the package's folder `python`. */
  readonly sdkPath: string;
  /** Node's process id: workers end with it. */
  readonly nodeParent: number;
}
