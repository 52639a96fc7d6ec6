/** Several modules in one object. */

export type { GroupStats } from './group.js';
export { type HubEvents, type HubStats, type PoolOptions, SynapseHub } from './hub.js';
