/** What is done to a pool as a whole: each operation is a promise until the engine says it is over. */

import { fromFailure, type NativeFailure } from './errors/index.js';

/** What the engine can be asked for. Mirrors `src/engine/operations.rs`. */
export type PoolRequest =
  | { readonly type: 'ready'; readonly min: number | null }
  | { readonly type: 'scale'; readonly min: number; readonly max: number }
  | { readonly type: 'restart'; readonly worker: number | null }
  | { readonly type: 'reload' }
  | { readonly type: 'drain' };

/** The engine's event `done`. */
export interface OperationDone {
  readonly ticket: number;
  readonly failure: NativeFailure | null;
}

/** The operations of one engine that are under way. */
export class Operations {
  readonly #open = new Map<number, { resolve(): void; reject(reason: unknown): void }>();
  #last = 0;

  /** @param begin tells the engine; it may answer at once */
  start(begin: (ticket: number) => void): Promise<void> {
    this.#last++;
    const ticket = this.#last;
    const promise = new Promise<void>((resolve, reject) => {
      this.#open.set(ticket, { resolve, reject });
    });
    begin(ticket);
    return promise;
  }

  /** The engine's event `done`. */
  done(ticket: number, failure: NativeFailure | null): void {
    const operation = this.#open.get(ticket);
    this.#open.delete(ticket);
    if (failure === null) operation?.resolve();
    else operation?.reject(fromFailure(failure));
  }
}
