// The types that users rely on, as an older compiler than ours reads them.

import type { Observable } from 'rxjs';
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd';
import {
  ArrowIpc,
  type CallOptions,
  disposeOnSignals,
  type ErrorCode,
  type HandlerContext,
  type HandlerRegistration,
  type InfoReply,
  isUnserializable,
  kwargs,
  type PingReply,
  PythonError,
  type PythonStream,
  pythonErrors,
  type ResolvedPython,
  type ResumableCounters,
  resolvePython,
  type SpawnOptions,
  type StreamOptions,
  type StreamResumed,
  Synapse,
  SynapseError,
  SynapseHub,
  TimeoutError,
  type ToolInfo,
  type Unserializable,
  withPool,
} from '../../index.js';

const synapse = new Synapse();
expectAssignable<AsyncDisposable>(synapse);

// The surface of 1.4.
expectType<Promise<void>>(synapse.spawn('./module', 'main'));
expectType<Observable<string>>(synapse.instanceLogs);
expectType<Promise<void>>(synapse.dispose());
expectType<Promise<{ sum: number }>>(synapse.call<{ sum: number }>({ a: 1 }));
expectType<Promise<number>>(synapse.call<number>('1', true));

// Named handlers.
expectType<Promise<number>>(synapse.invoke<number>('add', [1, 2]));
expectType<Promise<number>>(
  synapse.invoke<number>('add', kwargs({ a: 1, b: 2 }), { timeout: 100 }),
);

interface Module {
  add(a: number, b: number): number;
  text: { upper(text: string): string };
  tokens(prompt: string): Generator<string>;
  pages(): AsyncGenerator<number>;
  lines(): AsyncIterable<string>;
  names(): string[];
}
const api = synapse.api<Module>();
expectType<Promise<number>>(api.add(1, 2));
expectType<Promise<string>>(api.text.upper('a'));
expectType<PythonStream<string>>(api.tokens('a b'));
expectType<PythonStream<number>>(api.pages());
expectType<PythonStream<string>>(api.lines());
expectType<Promise<string[]>>(api.names());
expectError(api.add('1', 2));
expectError(api.missing());
const { signal } = new AbortController();
expectType<Promise<number>>(synapse.api<Module>({ timeout: 5, priority: -1, signal }).add(1, 2));
expectType<Promise<number>>(synapse.session('s').api<Module>({ idempotent: true }).add(1, 2));
expectError(synapse.api<Module>({ timeouts: 5 }));

// Several modules.
const hub = new SynapseHub({ workers: 2 });
expectAssignable<AsyncDisposable>(hub);
expectType<Promise<Synapse>>(hub.add('api', './api', 'main', { group: ['web'], weight: 2 }));
expectType<Promise<number>>(hub.invoke<number>('api', 'add', [1, 2]));
expectType<Promise<number>>(hub.api<Module>('api').add(1, 2));
expectType<Promise<number>>(hub.api<Module>('api', { timeout: 5 }).add(1, 2));
hub.on('worker:exit', (pool, exit) => {
  expectType<string>(pool);
  expectType<number>(exit.worker);
});
expectError(hub.group('web', { strategy: 'fair' }));

// Streams.
const tokens = synapse.stream<string>('tokens', ['a b'], { resume: true, resumeFrom: 57 });
expectType<PythonStream<string>>(tokens);
expectType<number>(tokens.sequence);
expectType<number>(tokens.resumes);
expectAssignable<StreamOptions>({ idleTimeout: 100, timeout: 1000 });
expectNotAssignable<StreamOptions>({ resume: 'yes' });
expectNotAssignable<CallOptions>({ resume: true });
expectType<ResumableCounters>(synapse.stats().resumable);
synapse.on('stream:resumed', (event) => expectType<StreamResumed>(event));
expectType<Promise<number>>(
  synapse.invoke<number>('total', [
    (async function* () {
      yield 1;
    })(),
  ]),
);

expectType<Promise<number>>(
  synapse.invoke<string>('tokens', ['a b'], {
    idleTimeout: 100,
    onItem: (token, sequence) => {
      expectType<string>(token);
      expectType<number>(sequence);
    },
  }),
);
expectError(synapse.invoke('tokens', ['a b'], { onItem: 7 }));

// Callbacks.
const registration = synapse.handle('getUser', async (id: number, ctx: HandlerContext) => {
  expectType<AbortSignal>(ctx.signal);
  expectType<number | undefined>(ctx.callId);
  return { id };
});
expectType<HandlerRegistration>(registration);
registration.exposed = false;
synapse.handle('tool', () => 1, { metadata: { keywords: ['a'] }, exposed: true });
expectError(synapse.handle('tool', () => 1, { exposed: 'yes' }));
expectType<HandlerRegistration>(synapse.session('ada').handle('tool', () => 1));
expectType<ToolInfo[]>(synapse.session('ada').tools());
expectType<ToolInfo[]>(synapse.tools());
expectType<Promise<PingReply>>(synapse.invoke<PingReply>('synapse.ping'));
expectType<Promise<InfoReply>>(synapse.invoke<InfoReply>('synapse.info'));
new Synapse({ redact: ['secret', /pattern/] });
new Synapse({ redact: (text, field) => (field === 'message' ? text : '') });
expectError(new Synapse({ redact: 'secret' }));
expectAssignable<Disposable>(registration);
synapse.handle('market', { fetch: (symbol: string) => symbol, *list() {} });
expectType<boolean>(synapse.unhandle('getUser'));
expectError(synapse.handle('getUser', 7));
expectError(synapse.handle('market', { fetch: 7 }));

// Options.
expectAssignable<SpawnOptions>({ workers: 2, python: '3.12', restart: false });
expectAssignable<SpawnOptions>({ workers: { min: 1, max: 4 } });
expectAssignable<SpawnOptions>({ workers: 'auto', profile: 'strict', beforeReady: 'reject' });
expectAssignable<SpawnOptions>({ restart: { taint: { ms: 500, on: ['oom'] } } });
expectError<SpawnOptions>({ profile: 'fast' });
expectType<Promise<number>>(
  withPool({ directory: '.', entrypoint: 'main' }, (pool) => pool.invoke<number>('add', [1, 2])),
);
disposeOnSignals(hub, ['SIGTERM']).dispose();
expectNotAssignable<SpawnOptions>({ workers: 'two' });
expectAssignable<CallOptions>({ timeout: 100, signal: new AbortController().signal });
expectNotAssignable<CallOptions>({ timeout: '100' });

expectAssignable<SpawnOptions>({ python: { managed: '3.12' } });
expectNotAssignable<SpawnOptions>({ python: { managed: 3.12 } });

// The interpreter.
expectType<Promise<ResolvedPython>>(resolvePython());
expectType<Promise<ResolvedPython>>(resolvePython({ python: '3.12', directory: './module' }));
expectError(resolvePython({ installer: 'uv' }));

// Errors.
declare const failure: unknown;
if (failure instanceof PythonError) {
  expectType<string>(failure.pythonType);
  expectType<string>(failure.traceback);
  expectAssignable<SynapseError>(failure);
}
if (failure instanceof pythonErrors.ValueError) expectType<PythonError>(failure);
if (failure instanceof TimeoutError) expectAssignable<ErrorCode>(failure.code);
if (failure instanceof SynapseError) expectType<boolean>(failure.retryable);

// Events.
synapse.on('log', ({ worker, text }) => {
  expectType<number>(worker);
  expectType<string>(text);
});
expectError(synapse.on('log', (event: number) => event));

// Values.
expectAssignable<SpawnOptions>({ values: 'graceful', validate: false });
expectError<SpawnOptions>({ values: 'lenient' });
declare const fromPython: unknown;
if (isUnserializable(fromPython)) expectType<Unserializable>(fromPython);
expectType<Uint8Array>(new ArrowIpc(new Uint8Array()).bytes);
