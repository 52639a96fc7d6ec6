/** What the specs of shared memory have in common. */

import { createCipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

/** Bytes from which a value goes through shared memory. */
export const LENT = 256 * 1024;
export const MIB = 1024 * 1024;

/** Bytes that differ from place to place and from seed to seed, so that a shift or a hole shows. */
export function pattern(length: number, seed = 1): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Whether two values are the same; quicker on large ones than Jest's matchers. */
export const same = isDeepStrictEqual;

/** Kibibytes of shared memory that a process has mapped and touched. */
export function sharedKib(pid: number | 'self'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/RssShmem:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

/** A module with a handler of each kind of traffic. */
export const MODULE = `
  import hashlib, os, time
  from synapse import handler, host

  @handler
  def echo(value): return value

  @handler
  def digest(value: bytes): return [type(value).__name__, len(value), hashlib.sha1(value).hexdigest()]

  @handler
  def view(value: memoryview):
      return [type(value).__name__, value.readonly, value.format, len(value), hashlib.sha1(value).hexdigest()]

  @handler
  def mixed(view: memoryview, plain, *, third: "memoryview | None" = None):
      return [type(view).__name__, type(plain).__name__, type(third).__name__]

  @handler(views=True)
  def kinds(value): return [type(value["a"]).__name__, type(value["b"][0]).__name__]

  kept = []

  @handler
  def keep(value: memoryview): kept.append(value); return len(kept)

  @handler
  def kept_digests(): return [hashlib.sha1(value).hexdigest() for value in kept]

  @handler
  def drop(): kept.clear()

  @handler
  def make(size): return os.urandom(1) * size

  @handler
  def inside(size): return {"a": [1, {"b": b"x" * size}], "c": bytearray(size), "d": memoryview(bytes(size))}

  @handler
  def items(size, count):
      for index in range(count): yield bytes([index]) * size

  @handler
  def ask(value): return host.call("answer", value).result()

  @handler
  def ask_stream(value): return [hashlib.sha1(item).hexdigest() for item in host.call("rows", value)]

  @handler
  def sleep(value, seconds): time.sleep(seconds); return len(value)
`;
