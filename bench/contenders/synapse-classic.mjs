/** Synapse with a script written for 1.4, byte for byte the one the stand-in runs. */

import { SynapseContender } from './synapse.mjs';

export class SynapseClassic extends SynapseContender {
  static id = 'synapse-classic';
  static title = 'Synapse, unmodified 1.4 script';
  static program = 'classic';
}
