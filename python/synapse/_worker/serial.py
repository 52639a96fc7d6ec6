"""One call after the other, in the main thread: the fastest way, and the default.

The loop takes whatever has come, runs all of it, and writes the replies together. Per call it costs
less than a microsecond, most of which the codec takes; so it works with local variables, and what
is rare is in other functions.
"""

from __future__ import annotations

import os
from _thread import get_ident
from select import select
from time import monotonic

from synapse._cancelled import Cancelled
from synapse._context import Context, provide
from synapse._protocol.codec import WORTH_LOADING, codec, decode
from synapse._protocol.errors import Malformed
from synapse._protocol.header import (
    CALLBACK_ID,
    COUNTED,
    CREDIT,
    HEADER,
    HEADER_SIZE,
    NESTED,
    REQUEST,
    RESPONSE,
)
from synapse._worker.calls import LARGE_RESULT, Calls, Request
from synapse._worker.hooks import Hooks
from synapse._worker.inbox import Inbox
from synapse._worker.interrupt import Interrupter, Wake
from synapse._worker.journal import LAST
from synapse._worker.large import BIN32_HEAD, is_binary, read_exactly
from synapse._worker.lending import LENT_BYTES
from synapse._worker.outflow import Outflow
from synapse._worker.reads import GREAT_READ, LARGE_FRAME, NEXT_READ, SMALL_READ
from synapse._worker.resumed import behind
from synapse._worker.runner import Runner, driver_codes
from synapse._worker.state import GUARD, SHARE, STOP, WAITING, Worker
from synapse._worker.watchdog import Watchdog
from synapse._worker.watcher import protocol_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from synapse._worker.hosting import Waiting
    from synapse._worker.runner import Source
    from synapse._worker.sharing import Sharing

#: Seconds that a reply may wait for the next ones to be written with it.
PATIENCE = 0.0005
#: Seconds of silence after which the codec in C is loaded.
IDLE = 0.02
#: Reads after which the codec in C is loaded.
MANY = 32


class Serial:
    """Serves the data channel until the host closes it or the worker has to stop."""

    def __init__(
        self,
        worker: Worker,
        calls: Calls,
        watchdog: Watchdog,
        interrupter: Interrupter,
        hooks: Hooks,
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._watchdog = watchdog
        self._interrupter = interrupter
        self.hooks = hooks
        #: What runs the coroutines of the call on top.
        self.innermost = hooks
        self.runner = Runner(hooks, worker.running)
        #: The thread that serves.
        self.main = get_ident()
        #: What takes over from the loop once the user's code calls the host.
        self._sharing: Sharing | None = None
        self._inbox = Inbox(worker, calls)
        #: Reads so far, while the codec in C is not loaded.
        self._reads = 0
        #: Whether replies may be waiting behind a call that runs.
        self._bursting = [False]
        #: The request that runs, if it is not one of the plain kind.
        self.request: Request | None = None
        #: The context that a plain request last asked for.
        self._plain: Context | None = None
        worker.journal.in_order()
        if worker.journal.heeds:
            worker.cancelled.add(GUARD)
        calls.index(lambda handler: handler.function)
        interrupter.get_hooks = lambda: self.innermost
        interrupter.drivers.update((*driver_codes(), Serial.serve.__code__))
        watchdog.tasks.append(self._flush_burst)
        worker.on_cancel = self._on_cancel
        worker.checkpoint = interrupter.checkpoint
        worker.create_waiting = self._create_waiting
        provide(self._context)

    # ------------------------------------------------------------------------------- the hot loop

    def serve(self) -> None:  # noqa: PLR0912, PLR0915
        """Serves until the end."""
        worker, watchdog, inbox = self._worker, self._watchdog, self._inbox
        descriptor, greatest = worker.config.data_in, worker.config.frame + COUNTED
        running, cancelled, bursting = worker.running, worker.cancelled, self._bursting
        single, spread, journal = self._calls.single, self._calls.spread, worker.journal
        pending, held, flush = worker.data.pending, worker.held, worker.data.flush
        unpack_header, pack_header, clock = HEADER.unpack_from, HEADER.pack, monotonic
        read, counted, head, last = os.read, COUNTED, HEADER_SIZE, LAST
        lent = LENT_BYTES
        size, rest, native = SMALL_READ, b"", None
        pack: Any = None
        while True:
            if native is None:
                self._consider_codec()
            try:
                running[0] = WAITING
                if cancelled:
                    if STOP in cancelled:
                        return
                    if SHARE in cancelled:
                        running[0] = 0
                        if not self._serve_shared(rest):
                            return
                        rest = inbox.data
                        continue
                data = read(descriptor, size)
                running[0] = 0
            except Wake:
                return
            if not data:
                return
            if native is None:
                if len(data) >= WORTH_LOADING:
                    codec.load()
                native = codec.native
                begun = journal.words if native is None else journal.map()
                pack, default, pack_options = codec.pack, codec.default, codec.pack_options
                unpack, ext_hook, option = codec.unpack, codec.ext_hook, codec.unpack_options
            count = len(data)
            if count == size:
                size = min(max(size * 4, NEXT_READ), GREAT_READ)
            elif count * 4 < size > SMALL_READ:
                size //= 4
            if rest:
                data = rest + data
            at, end = 0, len(data)
            inbox.data, inbox.at = data, 0
            due = 0.0
            bursting[0] = True
            while end - at >= head:
                length, word, call = unpack_header(data, at)
                stop = at + 4 + length
                if stop > end:
                    if stop - end < LARGE_FRAME or (cancelled and SHARE in cancelled):
                        break
                    flush()
                    if not self._receive_large(word, call, length, data[at:]):
                        return
                    # A stream that has waited for credit has read on: that comes next.
                    data, at, pack = inbox.data, inbox.at, codec.pack
                    # What was read last is long ago: it does not tell what is stale.
                    end, count = len(data), size
                    continue
                if cancelled and (
                    call in cancelled
                    or STOP in cancelled
                    or SHARE in cancelled
                    or worker.is_withdrawn(word, call)
                ):
                    if STOP in cancelled:
                        flush()
                        return
                    if SHARE in cancelled:
                        bursting[0] = False
                        if not self._serve_shared(data[at:]):
                            return
                        data, at, end = inbox.data, 0, 0
                        # What was read last is long ago: it does not tell what is stale.
                        count = size
                        break
                    if word & 0xFF == REQUEST:
                        pending.append(self._calls.refuse(word, call, data[at + head : stop]))
                        cancelled.discard(call)
                        at = stop
                        continue
                function = single.get(word)
                several = None
                if function is None:
                    function = several = spread.get(word)
                if function is not None:
                    payload = data[at + head : stop]
                    at = stop
                    begun[last] = call
                    try:
                        given = unpack(payload, ext_hook=ext_hook, option=option)
                    except Exception:
                        given, refusal = self._decode_again(call, payload)
                        pack = codec.pack
                        if refusal is not None:
                            pending.append(refusal)
                            continue
                    try:
                        running[0] = call
                        result = function(given) if several is None else several(*given)
                        running[0] = 0
                    except BaseException as error:
                        running[0] = 0
                        args = (given,) if several is None else given
                        pending.append(self._raised(word, call, args, error))
                    else:
                        if held:
                            worker.emit_held()
                        if result.__class__ is bytes and len(result) >= LARGE_RESULT:
                            pending += self._calls.success(call, result)
                        else:
                            try:
                                payload = pack(result, default, pack_options)
                            except Exception:
                                pending += self._reply_again(call, result)
                            else:
                                length = len(payload) + counted
                                if length < lent:
                                    pending += (pack_header(length, RESPONSE, call), payload)
                                else:
                                    pending += self._calls.large_success(
                                        word, call, result, payload
                                    )
                else:
                    inbox.data, inbox.at = data, stop
                    self.dispatch(word, call, data[at + head : stop])
                    pack = codec.pack
                    data, at = inbox.data, inbox.at
                    end = len(data)
                    if inbox.ended:
                        flush()
                        return
                if at < end:
                    if watchdog.asleep:
                        watchdog.wake()
                    now = clock()
                    if now > due:
                        # Not behind the first reply, whose time begins now.
                        if due:
                            flush()
                        due = now + PATIENCE
            bursting[0] = False
            flush()
            rest = data[at:]
            if end - at >= head and not counted <= length <= greatest:
                protocol_error(f"a frame of length {length}")
            if inbox.credits and SHARE not in cancelled:
                inbox.credits.clear()
            if cancelled and count < size:
                worker.forget_stale()

    # ---------------------------------------------------------------------------- around the loop

    def _consider_codec(self) -> None:
        """Loads the codec in C once the worker has nothing better to do, or much to do."""
        self._reads += 1
        if self._reads > MANY or not select((self._worker.config.data_in,), (), (), IDLE)[0]:
            codec.load()

    def _decode_again(self, call: int, payload: bytes) -> tuple[Any, bytes | None]:
        """Decodes what the codec in use refused; answers an error frame if it cannot be."""
        try:
            return decode(payload), None
        except Malformed as error:
            protocol_error(f"a request that cannot be decoded: {error}")
        except Exception as error:
            return None, self._calls.failure(call, error)

    def _reply_again(self, call: int, result: Any) -> tuple[Any, ...]:
        """The reply for a result that the codec in use refused."""
        if hasattr(result, "__await__") or hasattr(result, "__next__"):
            try:
                result = self.runner.value(call, result)
            except BaseException as error:
                return (self._failure(call, error),)
        return self._calls.success(call, result)

    def _raised(self, request_word: int, call: int, args: Any, error: BaseException) -> bytes:
        """The error frame of what a handler raised that the loop has called."""
        handler = self._calls.handlers[request_word >> 16]
        if handler is None or type(args) not in (list, tuple):
            return self._failure(call, error)
        context = Context(call, {}, 0.0, self._worker)
        request = Request(call, handler, args, {}, context, stream=False)
        return self._failure(call, error, request)

    def _failure(self, call: int, error: BaseException, request: Request | None = None) -> bytes:
        """The error frame of what a handler raised; `sys.exit` ends the worker instead."""
        self._worker.emit_held()
        if isinstance(error, SystemExit):
            self._worker.data.flush()
            raise error
        if request is None:
            return self._calls.failure(call, error)
        return self._calls.raised(error, request)

    def _flush_burst(self) -> bool:
        """The watchdog's task: no reply waits behind a slow later call."""
        if self._worker.data.pending:
            self._worker.data.flush()
            return True
        return self._bursting[0]

    def _receive_large(self, request_word: int, call: int, length: int, begin: bytes) -> bool:
        """Reads and runs a frame of which `begin` has come; answers False at the channel's end.

        What has been read after it is in the inbox.
        """
        codec.load()
        worker, inbox = self._worker, self._inbox
        size = length - COUNTED
        if size > worker.config.frame:
            protocol_error(f"a frame of length {length}")
        inbox.data, inbox.at = b"", 0
        begin = begin[HEADER_SIZE:]
        binary = request_word in self._calls.single and is_binary(begin, size)
        if binary:
            begin, size = begin[BIN32_HEAD:], size - BIN32_HEAD
        content = read_exactly(worker.config.data_in, begin, size)
        if content is None:
            return False
        if call in worker.cancelled or worker.is_withdrawn(request_word, call):
            worker.data.send(self._calls.refuse(request_word, call, content))
            worker.cancelled.discard(call)
            return True
        if binary:
            handler = self._calls.handlers[request_word >> 16]
            if handler is not None:
                worker.journal.words[LAST] = call
                context = Context(call, {}, 0.0, worker)
                self._run(Request(call, handler, (content,), {}, context, stream=False))
        else:
            self.dispatch(request_word, call, content)
        worker.data.flush()
        return not inbox.ended

    # ------------------------------------------------------------------------------ the rare kinds

    def dispatch(self, frame_word: int, call: int, payload: bytes) -> None:
        """Handles every frame that the hot loop does not."""
        kind = frame_word & 0xFF
        if kind == REQUEST:
            if not frame_word >> 8 & NESTED:
                # Nested ones run out of turn, which the host knows.
                self._worker.journal.words[LAST] = call
            request = self._calls.read(frame_word, call, payload)
            if isinstance(request, bytes):
                self._worker.data.pending.append(request)
            else:
                self._run(request)
        elif call & CALLBACK_ID:
            if self._worker.callbacks is not None:
                self._worker.callbacks.deliver(frame_word, call, payload)
        elif kind == CREDIT:
            self._inbox.grant(call, self._calls.credit(payload))
        else:
            self._calls.drop(kind)

    def _run(self, request: Request) -> None:
        """Runs a call of the loop."""
        self.request = request
        try:
            self.execute(request, self.runner)
        finally:
            self.request = None

    def execute(self, request: Request, runner: Runner) -> None:
        """Runs a call and adds its reply to what is pending."""
        worker, call = self._worker, request.call
        pending, windows = worker.data.pending, self._inbox.credits
        try:
            if request.stream:
                # What it asks the host may have its credit read before it gets to its first item.
                windows.setdefault(call, 0)
            result = runner.call(request)
            if request.stream:
                self._stream(runner, call, behind(runner.source(call, result), request.context))
                replies = (*self._calls.session(request), self._calls.end(call))
            else:
                result = runner.value(call, result)
                worker.emit_held()
                replies = self._calls.answer(request, result)
        except BaseException as error:
            pending.append(self._failure(call, error, request))
        else:
            pending += replies
        finally:
            windows.pop(call, None)

    def _stream(self, runner: Runner, call: int, source: Source) -> None:
        worker, calls, windows = self._worker, self._calls, self._inbox.credits
        outflow = Outflow(worker, calls, self._watchdog, call)

        def take(item: Any) -> bool:
            outflow.send(item)
            return windows.get(call, 0) > outflow.sent and not worker.is_cancelled(call)

        try:
            more = True
            while more:
                if windows.get(call, 0) <= outflow.sent:
                    self._await_credit(call, outflow.sent)
                if worker.is_cancelled(call):
                    raise Cancelled("the stream was cancelled")
                more = runner.pass_on(call, source, take)
            worker.emit_held()
        except BaseException:
            runner.close(source)
            raise

    def _await_credit(self, call: int, sent: int) -> None:
        inbox, worker = self._inbox, self._worker
        inbox.listen()
        while True:
            if self._sharing is not None and self._sharing.is_wanted:
                self._sharing.await_credit(call, sent)
                return
            inbox.take()
            if inbox.credits.get(call, 0) > sent or worker.is_cancelled(call):
                return
            if inbox.ended:
                raise Cancelled("the host has closed the channel")
            worker.data.flush()
            inbox.wait()

    # ------------------------------------------------------------------- once the channel is shared

    def _create_waiting(self, worker: Worker) -> Waiting:
        from synapse._worker.reentry import SerialWaiting
        from synapse._worker.sharing import Sharing

        self._sharing = Sharing(worker, self._calls, self._watchdog, self._inbox, self)
        return SerialWaiting(
            worker, self._watchdog, self._sharing, wake=self._inbox.wake, main=self.main
        )

    def _serve_shared(self, unread: bytes) -> bool:
        """Serves while the user's code waits for the host; answers False at the end.

        What has been read meanwhile and not used is in the inbox.
        """
        self._worker.load_callbacks()
        if self._sharing is None:
            return False
        rest = self._sharing.serve(unread)
        if rest is None:
            return False
        self._inbox.data, self._inbox.at = rest, 0
        return True

    def unread(self) -> bytes:
        """What the loop has read and not begun, while the main thread runs a call.

        For calls of the plain kind it is searched for: the loop does no work for what may never be
        asked.
        """
        data, at = self._inbox.data, self._inbox.at
        if self.request is not None:
            return data[at:]
        running, end = self._worker.running[0], len(data)
        while end - at >= HEADER_SIZE:
            length, _, call = HEADER.unpack_from(data, at)
            at += 4 + length
            if call == running:
                return data[at:]
        return b""

    # --------------------------------------------------------------------------- for other threads

    def _on_cancel(self, call: int) -> None:
        self._interrupter.interrupt(call)
        self._inbox.wake()
        if self._sharing is not None:
            self._sharing.channel.wake()

    def _context(self) -> Context | None:
        if self._sharing is not None and get_ident() != self.main:
            from synapse._worker.pool import current

            apart = current.get()
            return None if apart is None else apart.context
        call = self._worker.running[0]
        if call <= 0:
            return None
        request = self.request
        if request is not None and request.call == call:
            return request.context
        if self._plain is None or self._plain.call_id != call:
            self._plain = Context(call, {}, 0.0, self._worker)
        return self._plain
