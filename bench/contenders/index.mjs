/**
 * The contenders, in the order of the tables. Each is a class:
 *
 *   static id, title          its name on the command line, and in the tables
 *   static role               'synapse', 'standin', 'peer', 'node' (no Python) or 'floor'
 *   static capabilities       bytes: takes bytes; burst: many calls at once;
 *                             burstLimit: how many of them in one turn (the
 *                             time is scaled up); restart: can be started
 *                             again; cold: makes its own environment;
 *                             inProcess: Python inside the Node process;
 *                             echoes: false where the reply is not the value;
 *                             callbacks, streams, numpy: has callBack(value,
 *                             count), consume(count), dot(left, right);
 *                             handlers: has invoke(name, args); pool: takes
 *                             the option `workers`
 *   static unavailable()      why it cannot run here, or null
 *   start()                   resolves when a call may be made
 *   call(value)               the echo of the value, or a promise of it
 *   callMany(values)          a promise of the echoes, all under way at once
 *   stop()                    resolves when it says that it is gone
 *   pid                       of the process that runs Python, or null
 */

import { ConcurrentCPython } from './concurrent-c-python.mjs';
import { Floor } from './floor.mjs';
import { ForkIpc } from './fork-ipc.mjs';
import { NodeCallsPython } from './node-calls-python.mjs';
import { NodeWorker } from './node-worker.mjs';
import { PythonShellContender } from './python-shell.mjs';
import { Pythonia } from './pythonia.mjs';
import { StandIn } from './standin.mjs';
import { SynapseClassic } from './synapse-classic.mjs';
import { SynapseSdk } from './synapse-sdk.mjs';

export const contenders = [
  SynapseSdk,
  SynapseClassic,
  StandIn,
  PythonShellContender,
  Pythonia,
  ConcurrentCPython,
  NodeCallsPython,
  NodeWorker,
  ForkIpc,
  Floor,
];
