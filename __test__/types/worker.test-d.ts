// The types of the SDK of workers in Node.

import { expectError, expectType } from 'tsd';
import { type Context, context, Handlers, handler, host, kwargs, onStart } from '../../worker.js';

expectType<(a: number, b: number) => number>(handler('add', (a: number, b: number) => a + b));
handler(function named(): number {
  return 1;
});
handler('main', async (input: unknown) => input, { default: true, timeout: 100 });
expectError(handler('main', 5));
expectError(handler('main', () => 1, { defualt: true }));

onStart(async () => {});
class Calculator extends Handlers {
  add(a: number, b: number): number {
    return a + b;
  }
}
expectType<Calculator>(new Calculator().register('calculator'));

expectType<Context>(context());
expectType<number | undefined>(context().remaining());
expectType<AbortSignal>(context().signal);

expectType<Promise<string>>(host.call<string>('name', 1, kwargs({ a: 1 })).then((value) => value));
host['market']['DataFetch']({ symbol: 'X' });
