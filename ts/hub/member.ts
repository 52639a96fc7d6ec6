/** A pool as its groups see it. */

import type { Synapse } from '../synapse.js';

/** How much the newest duration weighs in the average. */
const WEIGHT_OF_NEWEST = 0.2;

/** One pool of a hub. Several groups may have it. */
export class Member {
  readonly name: string;
  readonly synapse: Synapse;
  /** Its share under the strategy `weighted`. */
  readonly weight: number;
  #active = 0;
  #average: number | undefined;
  #healthy = true;

  constructor(name: string, synapse: Synapse, weight: number) {
    this.name = name;
    this.synapse = synapse;
    this.weight = weight;
    synapse.on('unhealthy', () => {
      this.#healthy = false;
    });
    synapse.on('healthy', () => {
      this.#healthy = true;
    });
  }

  /** Calls that groups have under way in it. */
  get active(): number {
    return this.#active;
  }

  /** Moving average of how long calls take, in ms; undefined before the first. */
  get averageMs(): number | undefined {
    return this.#average;
  }

  /** Whether it can serve: not one whose workers cannot be started. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Does work with the pool and counts it. */
  async run<Result>(work: (synapse: Synapse) => Promise<Result>): Promise<Result> {
    const end = this.begin();
    try {
      return await work(this.synapse);
    } finally {
      end();
    }
  }

  /** Counts a call from now until the answer is called. */
  begin(): () => void {
    const begun = performance.now();
    this.#active++;
    return () => {
      this.#active--;
      const took = performance.now() - begun;
      const before = this.#average ?? took;
      this.#average = before + WEIGHT_OF_NEWEST * (took - before);
    };
  }
}
