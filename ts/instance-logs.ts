/** The Observable of version 1.4. rxjs is loaded when somebody asks for it: it takes longer to
 * load than everything else together. */

import { createRequire } from 'node:module';
import type { Observable, Subject } from 'rxjs';

const PREFIX = '🐍 Python: ';

/** Feeds `instanceLogs`. */
export class InstanceLogs {
  #subject: Subject<string> | undefined;

  get observable(): Observable<string> {
    if (this.#subject === undefined) {
      // In two steps: the compiler drops the brackets of `new (load('rxjs')).Subject()`.
      const rxjs = createRequire(__filename)('rxjs') as typeof import('rxjs');
      this.#subject = new rxjs.Subject();
    }
    return this.#subject.asObservable();
  }

  /** Text that Python wrote to stderr. */
  push(text: string): void {
    this.#subject?.next(PREFIX + text);
  }

  /** A remark of our own. */
  warn(text: string): void {
    this.#subject?.next(text);
  }
}
