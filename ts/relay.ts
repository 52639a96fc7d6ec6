/** From what the engine tells to the events of {@link Synapse}. */

import type { EventEmitter } from 'node:events';
import type { EngineEvent } from './engine.js';
import { fromFailure, type NativeFailure } from './errors/index.js';
import type { LogEvent, SynapseEvents, WorkerExit } from './events.js';
import type { SetupProgress } from './options/index.js';

/**
 * @param emitter emits the events
 * @param stderr gets what Python writes there
 */
export function createRelay(
  emitter: EventEmitter<SynapseEvents>,
  stderr: (text: string) => void,
): (event: EngineEvent) => void {
  return ({ type, ...detail }) => {
    switch (type) {
      case 'setup':
        emitter.emit('setup', detail as unknown as SetupProgress);
        break;
      case 'log': {
        const event = detail as unknown as LogEvent;
        const level = event.level ?? (event.stream === 'stderr' ? 'error' : 'info');
        emitter.emit('log', { ...event, level });
        if (event.stream === 'stderr') stderr(event.text);
        break;
      }
      case 'store-failed':
        reportFault(emitter, new Error(detail['message'] as string));
        break;
      case 'unhealthy':
        emitter.emit('unhealthy', fromFailure(detail['failure'] as NativeFailure));
        break;
      case 'worker:exit':
        emitter.emit('worker:exit', detail as unknown as WorkerExit);
        break;
      case 'resumed': {
        const { id, ...about } = detail as { id: number; worker: number; resumeFrom: number };
        emitter.emit('stream:resumed', { callId: id, ...about });
        break;
      }
      case 'worker:start': {
        const { worker, pid } = detail as { worker: number; pid: number };
        emitter.emit('worker:start', { worker, pid });
        break;
      }
      case 'spawned':
        emitter.emit('ready');
        break;
      case 'healthy':
      case 'drain':
        emitter.emit(type);
        break;
      case 'breaker':
      case 'retry':
      case 'sessions:high':
      case 'session:lost':
      case 'progress':
      case 'worker:ready':
      case 'worker:restart':
      case 'worker:drain':
      case 'worker:unhealthy':
      case 'worker:healthy':
      case 'heartbeat':
      case 'heartbeat:missed':
        emitter.emit(type, detail as never);
        break;
    }
  };
}

/** A fault that nobody awaits. Without a listener it must not end the process. */
function reportFault(emitter: EventEmitter<SynapseEvents>, fault: Error): void {
  if (emitter.listenerCount('error') > 0) emitter.emit('error', fault);
  else process.emitWarning(fault);
}
