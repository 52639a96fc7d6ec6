"""Echo for python-shell in its `json` mode: one JSON document a line, both ways."""

import json
import sys

for line in sys.stdin:
    print(json.dumps(json.loads(line)), flush=True)
