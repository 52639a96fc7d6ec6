/** Python modules that call Node, each with the same handlers: plain functions, and coroutines. */

import type { SpawnOptions } from '../../ts/index.js';

/** Handlers that are the same everywhere. The others wait as their mode demands. */
const COMMON = `
  import threading
  import synapse
  from synapse import HostError, HandlerNotFound, handler, host

  @handler
  def plain(value):
      return value

  threads = []
  heard = []

  @handler
  def start_threads(count, each):
      def run():
          for number in range(each):
              heard.append(host.echo(number).result() == number)
      for _ in range(count):
          threads.append(threading.Thread(target=run))
          threads[-1].start()

  @handler
  def join_threads():
      for thread in threads:
          thread.join()
      return [len(heard), all(heard)]

  @handler
  def from_threads(count):
      results = []
      def run(number):
          results.append(host.echo(number).result())
      threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
      for thread in threads:
          thread.start()
      for thread in threads:
          thread.join()
      return sorted(results)
`;

/** Plain functions: `host.f().result()`. */
const SYNC = `${COMMON}
  @handler
  def ask(name, *args, **kwargs):
      return host.call(name, *args, **kwargs).result()

  @handler
  def dotted(value):
      return host.market.DataFetch(value, limit=2).result()

  @handler
  def many(count):
      calls = [host.echo(number) for number in range(count)]
      return [call.result() for call in reversed(calls)]

  @handler
  def each(name, limit=None):
      found = []
      for item in host.call(name):
          found.append(item)
          if limit is not None and len(found) == limit:
              break
      return found

  @handler
  def until_error(name):
      found = []
      try:
          for item in host.call(name):
              found.append(item)
      except HostError as error:
          return [found, error.name, error.message]
      return found

  @handler
  def nest(depth):
      return ["python", depth, host.deeper(depth - 1).result()] if depth else "bottom"

  @handler
  def caught(name):
      try:
          host.call(name).result()
      except HandlerNotFound as error:
          return ["not found", str(error), error.available]
      except HostError as error:
          return [str(error), error.name, error.message, error.data, "Error" in error.stack]

  @handler
  def given_up(name):
      try:
          host.call(name).result(timeout=0.05)
      except TimeoutError as error:
          return str(error)

  @handler
  def apply(function, value):
      return function(value).result()

  kept = []

  @handler
  def keep(function):
      kept[:] = [function]

  @handler
  def use_kept(value):
      return kept[0](value).result()

  @handler
  def release_kept():
      kept[0].release()
      kept[0].release()

  @handler
  def send_back(function):
      return {"same": function}

  @handler
  def asking(count):
      for number in range(count):
          yield host.echo(number).result()
`;

/** Coroutines: `await host.f()`. */
export const ASYNC = `${COMMON}
  @handler
  async def ask(name, *args, **kwargs):
      return await host.call(name, *args, **kwargs)

  @handler
  async def dotted(value):
      return await host.market.DataFetch(value, limit=2)

  @handler
  async def many(count):
      calls = [host.echo(number) for number in range(count)]
      return [await call for call in reversed(calls)]

  @handler
  async def each(name, limit=None):
      found = []
      async for item in host.call(name):
          found.append(item)
          if limit is not None and len(found) == limit:
              break
      return found

  @handler
  async def until_error(name):
      found = []
      try:
          async for item in host.call(name):
              found.append(item)
      except HostError as error:
          return [found, error.name, error.message]
      return found

  @handler
  async def nest(depth):
      return ["python", depth, await host.deeper(depth - 1)] if depth else "bottom"

  @handler
  async def caught(name):
      try:
          await host.call(name)
      except HandlerNotFound as error:
          return ["not found", str(error), error.available]
      except HostError as error:
          return [str(error), error.name, error.message, error.data, "Error" in error.stack]

  @handler
  async def given_up(name):
      import asyncio
      try:
          await asyncio.wait_for(host.call(name), 0.05)
      except asyncio.TimeoutError:
          return "TimeoutError"

  @handler
  async def apply(function, value):
      return await function(value)

  kept = []

  @handler
  async def keep(function):
      kept[:] = [function]

  @handler
  async def use_kept(value):
      return await kept[0](value)

  @handler
  async def release_kept():
      kept[0].release()
      kept[0].release()

  @handler
  async def send_back(function):
      return {"same": function}

  @handler
  async def asking(count):
      for number in range(count):
          yield await host.echo(number)
`;

/** The modes of a worker, with the module that suits each and the options of `spawn`. */
export const MODES: readonly (readonly [string, string, SpawnOptions])[] = [
  ['serial', SYNC, { mode: 'serial' }],
  ['serial with coroutines', ASYNC, { mode: 'serial' }],
  ['async', ASYNC, { mode: 'async', concurrency: 4 }],
  ['async with plain functions', SYNC, { mode: 'async', concurrency: 2 }],
  ['threads', SYNC, { mode: 'threads', concurrency: 2 }],
  ['threads, one at a time', SYNC, { mode: 'threads', concurrency: 1 }],
];
