// A worker that speaks the protocol but for one rule, which its argument names.

import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Decoder, Writer } = createRequire(import.meta.url)('../../../dist/codec/index.js');
const [fault] = process.argv.slice(2);
const config = JSON.parse(process.env.SYNAPSE_WORKER);
const names = ['echo', 'fail', 'count'];
const writer = new Writer();
const decoder = new Decoder({ extension: () => null });

function frame(kind, id, value) {
  writer.clear();
  if (value !== undefined) writer.encode(value);
  const payload = Buffer.from(writer.buffer.subarray(0, writer.position));
  const header = Buffer.alloc(12);
  header.writeUInt32LE(payload.length + 8, 0);
  header[4] = kind;
  header.writeUInt32LE(id, 8);
  return Buffer.concat([header, payload]);
}

function write(descriptor, bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function answer(id, number, flags, value) {
  const args = flags & 3 ? value : [value];
  if (number >= names.length) {
    const code = fault === 'wrong-code' ? 'NOT_THERE' : 'HANDLER_NOT_FOUND';
    return frame(4, id, { code, message: 'no such handler' });
  }
  if (names[number] === 'fail') {
    if (fault === 'swallows-errors') return frame(3, id, { status: 'error', message: args[0] });
    return frame(4, id, { code: 'PYTHON_ERROR', message: args[0] });
  }
  if (names[number] === 'count') {
    // Without looking at the credit.
    const items = Array.from({ length: args[0] }, (_, index) => frame(5, id, index));
    return Buffer.concat([...items, frame(6, id)]);
  }
  if (fault === 'answers-twice')
    return Buffer.concat([frame(3, id, args[0]), frame(3, id, args[0])]);
  if (fault === 'changes-values' && typeof args[0] === 'bigint')
    return frame(3, id, Number(args[0]));
  return frame(3, id, args[0]);
}

const hello = {
  protocol: fault === 'wrong-version' ? 2 : 1,
  mode: 'synapse',
  pid: process.pid,
  handlers: names.map((name) => ({ name })),
};
if (fault === 'no-hello') setInterval(() => {}, 1000);
else {
  if (fault === 'prints-on-the-channel')
    write(config.data_out, Buffer.from('hello, world\n'.repeat(9)));
  write(config.control, frame(1, 0, hello));
  let rest = Buffer.alloc(0);
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    const count = readSync(config.data_in, chunk);
    if (count === 0) process.exit(0);
    // Takes every read for whole frames.
    rest =
      fault === 'whole-reads'
        ? chunk.subarray(0, count)
        : Buffer.concat([rest, chunk.subarray(0, count)]);
    while (rest.length >= 12) {
      const length = rest.readUInt32LE(0);
      if (fault !== 'no-limit' && (length < 8 || length > config.limits.frame + 8))
        process.exit(70);
      if (rest.length < length + 4) break;
      const [kind, flags, number, id] = [
        rest[4],
        rest[5],
        rest.readUInt16LE(6),
        rest.readUInt32LE(8),
      ];
      const payload = rest.subarray(12, length + 4);
      rest = rest.subarray(length + 4);
      if (kind === 2) {
        let at = 0;
        if (flags & 4) {
          decoder.decodeFrom(payload);
          at = decoder.offset;
        }
        write(config.data_out, answer(id, number, flags, decoder.decode(payload, at)));
      } else if (kind > 0x11 && fault !== 'any-kind') process.exit(70);
    }
  }
}
