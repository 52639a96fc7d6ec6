/** Synapse with a handler of its Python SDK: `call` reaches `@handler(default=True)`. */

import { SynapseContender } from './synapse.mjs';

export class SynapseSdk extends SynapseContender {
  static id = 'synapse';
  static title = 'Synapse, SDK handler';
  static program = 'sdk';
  static capabilities = {
    ...SynapseContender.capabilities,
    callbacks: true,
    streams: true,
    numpy: true,
    pool: true,
    handlers: true,
  };
}
