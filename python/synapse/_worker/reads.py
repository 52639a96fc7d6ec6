"""How much of the data channel is read at once, in every mode."""

#: Bytes of the first reads of a serial worker: the largest object that Python's own allocator
#: makes. A buffer of many KiB costs a tenth of a microsecond, a large one more than a small call.
SMALL_READ = 448
#: Bytes of the read after a small one that came back full, and of the first reads where several
#: calls run at once.
NEXT_READ = 64 * SMALL_READ
#: Bytes of reads while they come back full. A power of two of small ones, as all between.
GREAT_READ = 2048 * SMALL_READ
#: What is missing of a frame is read into a buffer of its own from this size on.
LARGE_FRAME = 64 * 1024
