# frozen_string_literal: true

# A worker in Ruby, written against docs/protocol.md alone. Debian: apt-get install ruby-msgpack.
#
#   await synapse.spawn('examples/ruby', 'worker.rb', { runtime: { command: ['ruby', 'worker.rb'] } });
#   await synapse.invoke('add', [1, 2]);

require 'json'
require 'msgpack'

CONFIG = JSON.parse(ENV.delete('SYNAPSE_WORKER'))
DATA_IN, DATA_OUT, CONTROL, CONTROL_OUT =
  [%w[data_in rb], %w[data_out wb], %w[control rb], %w[control wb]].map do |key, mode|
    IO.for_fd(CONFIG[key], mode, autoclose: false).tap { |io| io.sync = io.close_on_exec = true }
  end
HELLO, REQUEST, RESPONSE, ERROR, ITEM, FINISH, CREDIT, CANCEL, CALLBACK =
  1, 2, 3, 4, 5, 6, 7, 8, 9
HEARTBEAT, SHUTDOWN = 0x0B, 0x0D
CODE = { NotImplementedError => 'HANDLER_NOT_FOUND', RangeError => 'ENCODE', EncodingError => 'VALIDATION' }.freeze

class Cancelled < StandardError; end

# Calls a handler of the host. A stream among the answers arrives as an array.
def ask(name, *args)
  id = LOCK.synchronize { 0x8000_0000 | @asked = (@asked.to_i + 1) & 0x7FFF_FFFF }
  WAITING[id] = Queue.new
  send_frame(DATA_OUT, CALLBACK, id, { name: name, args: args, call: Thread.current[:call] }.compact)
  kind, value = WAITING[id].pop
  kind == ERROR ? raise("#{value['type']}: #{value['message']}") : value
ensure
  WAITING.delete(id)
end

HANDLERS = {
  'echo' => ->(value) { value },
  'add' => ->(a, b) { a + b },
  'fail' => ->(message) { raise ArgumentError, message },
  'sleep' => ->(ms) { sleep(ms / 1000.0) },
  'count' => ->(number) { (0...number).each },
  'ask' => ->(name, *args) { ask(name, *args) },
  'spell' => ->(text, upper: false) { (upper ? text.upcase : text).chars }
}.freeze

LOCK = Mutex.new
WAITING = {} # answers of the host, by callback
RUNNING = {} # threads, by call
CREDITS = Hash.new { |all, id| all[id] = Queue.new } # one entry an item that may be sent
CANCELLED = {} # a cancel may overtake its request
REQUESTS = Queue.new

def send_frame(channel, kind, id, *value, flags: 0)
  payload = value.empty? ? '' : MessagePack.pack(value[0])
  LOCK.synchronize { channel.write([payload.bytesize + 8, kind, flags, 0, id].pack('L<CCS<L<') + payload) }
end

def each_frame(channel)
  while (head = channel.read(12)) && head.bytesize == 12
    length, kind, flags, handler, id = head.unpack('L<CCS<L<')
    exit!(70) if length < 8 || length - 8 > CONFIG['limits']['frame']
    payload = channel.read(length - 8) or break
    yield kind, flags, handler, id, MessagePack::Unpacker.new(allow_unknown_ext: true).feed(payload)
  end
end

def arguments(flags, unpacker)
  unpacker.read unless (flags & 4).zero? # extras: remaining, metadata
  given = unpacker.read
  args, kwargs = [[[given], {}], [given, {}], [[], given], given][flags & 3]
  [args, kwargs.transform_keys(&:to_sym)]
end

def run(flags, handler, id, unpacker)
  raise Cancelled, 'the call was cancelled' if CANCELLED.delete(id)

  _, function = HANDLERS.to_a[handler] || raise(NotImplementedError, "there is no handler number #{handler}")
  args, kwargs = arguments(flags, unpacker)
  result = function.call(*args, **kwargs)
  result = result.to_a if result.is_a?(Enumerator) && (flags & 8).zero?
  return send_frame(DATA_OUT, RESPONSE, id, result) if (flags & 8).zero?

  (result.is_a?(Enumerator) ? result : [result]).each { |item| CREDITS[id].pop && send_frame(DATA_OUT, ITEM, id, item) }
  send_frame(DATA_OUT, FINISH, id)
rescue MessagePack::MalformedFormatError
  exit!(70)
rescue StandardError, NotImplementedError => e
  code = CODE.find { |kind, _| e.is_a?(kind) }&.last || (e.is_a?(MessagePack::UnpackError) ? 'VALIDATION' : 'PYTHON_ERROR')
  send_frame(DATA_OUT, ERROR, id, { code: code, type: e.class.name, message: e.message, traceback: e.full_message(highlight: false) })
ensure
  CREDITS.delete(id)
end

def start(request)
  RUNNING[request[2]] = Thread.current
  Thread.current[:call] = request[2]
  Thread.handle_interrupt(Cancelled => :never) { Thread.handle_interrupt(Cancelled => :immediate) { run(*request) } }
ensure
  RUNNING.delete(request[2])
end

CONFIG['concurrency'].times { Thread.new { loop { start(REQUESTS.pop) } } }
Thread.new do
  each_frame(CONTROL) do |kind, _, _, id, _|
    exit(0) if kind == SHUTDOWN
    exit!(70) unless kind == CANCEL
    (thread = RUNNING[id]) ? thread.raise(Cancelled, 'the call was cancelled') : CANCELLED[id] = true
  end
  Process.kill('KILL', 0) # the host is gone, and so is whatever this worker has started
end
Thread.new { loop { sleep(CONFIG['heartbeat_ms'] / 1000.0) && send_frame(CONTROL_OUT, HEARTBEAT, 0, { rss: 0, calls: RUNNING.size, lag: 0.0 }) } } if CONFIG['heartbeat_ms'].positive?

hello = { protocol: 1, mode: 'synapse', pid: Process.pid, runtime: "Ruby #{RUBY_VERSION}", handlers: HANDLERS.keys.map { |name| { name: name } } }
send_frame(CONTROL_OUT, HELLO, 0, hello)
each_frame(DATA_IN) do |kind, flags, handler, id, unpacker|
  case kind
  when REQUEST then (flags & 16).zero? ? REQUESTS << [flags, handler, id, unpacker] : Thread.new { start([flags, handler, id, unpacker]) }
  when CREDIT then CREDITS[id].tap { |credit| unpacker.read.times { credit << true } }
  when RESPONSE, ERROR then WAITING[id]&.push([kind, unpacker.read])
  else exit!(70) unless [ITEM, FINISH].include?(kind)
  end
end
