"""The process on the Python side: reads requests, runs handlers, writes what they answer.

`boot` prepares the process and runs the user's code; then `serial`, `asynchronous` or `threads`
serves the data channel, while `watcher` listens on the control channel and `watchdog` keeps time.
A script in the 1.4 framing is served by `stdio`.
"""
