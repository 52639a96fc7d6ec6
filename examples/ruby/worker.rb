# frozen_string_literal: true
# A worker in Ruby, written against docs/protocol.md alone. Debian: apt-get install ruby-msgpack.
#   await synapse.spawn('examples/ruby', 'worker.rb', { runtime: { command: ['ruby', 'worker.rb'] } });

require 'json'
require 'msgpack'

CONFIG = JSON.parse(ENV.delete('SYNAPSE_WORKER'))
CHANNELS = [%w[data_in rb], %w[data_out wb], %w[control rb], %w[control wb]].freeze
DATA_IN, DATA_OUT, CONTROL_IN, CONTROL_OUT = CHANNELS.map do |key, mode|
  IO.for_fd(CONFIG[key], mode).tap { |io| io.sync = io.close_on_exec = true }
end
HELLO, REQUEST, RESPONSE, ERROR, ITEM, FINISH, CREDIT, CANCEL, CALLBACK = *1..9
HEARTBEAT, SHUTDOWN, BAD_FRAME = 0x0B, 0x0D, 70
EXTRAS, STREAM, NESTED = 4, 8, 16

Cancelled, HandlerNotFound = Class.new(StandardError), Class.new(StandardError)

LOCK = Mutex.new
REQUESTS = Queue.new # what has come and waits for a thread
RUNNING = {} # threads, by call
EARLY = {} # calls whose cancel has overtaken their request
ANSWERS = {} # queues for what the host answers, by callback
CREDITS = Hash.new { |all, call| all[call] = Queue.new } # an entry for each item that may be sent

HANDLERS = {
  'echo' => ->(value) { value },
  'add' => ->(*args, **named) { [*args, *named.values].sum },
  'fail' => ->(message) { raise ArgumentError, message },
  'sleep' => ->(ms) { sleep(ms / 1000.0) },
  'count' => ->(number) { number.times },
  'ask' => ->(name, *args) { ask(name, *args) }
}.freeze

def send_frame(channel, kind, id, *value)
  payload = value.empty? ? '' : MessagePack.pack(*value)
  header = [payload.bytesize + 8, kind, 0, 0, id].pack('L<CCS<L<')
  LOCK.synchronize { channel.write(header, payload) }
end

def each_frame(channel)
  while (header = channel.read(12)) && header.bytesize == 12
    length, kind, flags, handler, id = header.unpack('L<CCS<L<')
    exit!(BAD_FRAME) unless length.between?(8, CONFIG['limits']['frame'] + 8)
    payload = MessagePack::Unpacker.new(allow_unknown_ext: true).feed(channel.read(length - 8) || break)
    yield kind, id, payload, flags, handler
  end
end

def ask(name, *args)
  id = LOCK.synchronize { 0x8000_0000 | (@asked = @asked.to_i.succ & 0x7FFF_FFFF) }
  ANSWERS[id] = Queue.new
  send_frame(DATA_OUT, CALLBACK, id, { name: name, args: args, call: Thread.current[:call] })
  kind, value = ANSWERS[id].pop
  kind == ERROR ? raise(value['message']) : value
ensure
  ANSWERS.delete(id)
end

def interruptible(&block) = Thread.handle_interrupt(Cancelled => :immediate, &block)

def invoke(flags, number, payload)
  payload.read if flags & EXTRAS != 0 # remaining, metadata
  given = payload.read
  args, named = [[[given], {}], [given, {}], [[], given], given][flags & 3]
  _, function = HANDLERS.to_a[number] || raise(HandlerNotFound, "there is no handler number #{number}")
  named.empty? ? function.call(*args) : function.call(*args, **named.transform_keys(&:to_sym))
end

def answer(id, payload, flags, number)
  raise Cancelled, 'the call was cancelled' if EARLY.delete(id)

  result = interruptible { invoke(flags, number, payload) }
  streams = result.is_a?(Enumerator)
  return send_frame(DATA_OUT, RESPONSE, id, streams ? result.to_a : result) if flags & STREAM == 0

  (streams ? result : [result]).each do |item|
    interruptible { CREDITS[id].pop }
    send_frame(DATA_OUT, ITEM, id, item)
  end
  send_frame(DATA_OUT, FINISH, id)
rescue StandardError => e
  codes = { HandlerNotFound => 'HANDLER_NOT_FOUND', MessagePack::StackError => 'VALIDATION', RangeError => 'ENCODE' }
  code = codes.fetch(e.class, 'PYTHON_ERROR')
  send_frame(DATA_OUT, ERROR, id, { code: code, type: e.class.name, message: e.message })
end

def run(id, *request)
  RUNNING[id] = Thread.current
  Thread.current[:call] = id
  Thread.handle_interrupt(Cancelled => :never) { answer(id, *request) }
rescue Cancelled # it came when the answer was on its way
ensure
  [RUNNING, CREDITS].each { |known| known.delete(id) }
end

CONFIG['concurrency'].times { Thread.new { loop { run(*REQUESTS.pop) } } }
Thread.new do
  each_frame(CONTROL_IN) do |kind, id|
    exit(0) if kind == SHUTDOWN
    exit!(BAD_FRAME) if kind != CANCEL
    RUNNING[id] ? RUNNING[id].raise(Cancelled, 'the call was cancelled') : EARLY[id] = true
  end
  Process.kill('KILL', 0) # the host is gone: so is this process and what it has started
end
pause = CONFIG['heartbeat_ms'] / 1e3
Thread.new { loop { sleep(pause) && send_frame(CONTROL_OUT, HEARTBEAT, 0, { calls: RUNNING.size }) } } if pause.positive?

hello = { protocol: 1, mode: 'synapse', pid: Process.pid, handlers: HANDLERS.keys.map { |name| { name: name } } }
send_frame(CONTROL_OUT, HELLO, 0, hello)
each_frame(DATA_IN) do |kind, id, payload, flags, number|
  request = [id, payload, flags, number]
  case kind
  when REQUEST then flags & NESTED == 0 ? REQUESTS << request : Thread.new { run(*request) }
  when CREDIT then payload.read.times { CREDITS[id] << true }
  when RESPONSE, ERROR then ANSWERS[id]&.push([kind, payload.read])
  else exit!(BAD_FRAME)
  end
end
