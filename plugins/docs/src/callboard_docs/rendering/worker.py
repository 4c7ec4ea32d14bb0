"""The process that renders: a JSON text a line in, a JSON object a line out.

Pages are what people wrote. A page that takes too long or too much memory ends this process, by
an alarm that no library can hold up, and nothing else.
"""

import contextlib
import resource
import signal
import sys

import orjson

from callboard_docs.rendering.page import render_page

MEMORY = 2 * 2**30


def main() -> None:
    """Render until the input ends; the argument is how long a page may take, in seconds."""
    seconds = int(sys.argv[1])
    with contextlib.suppress(ValueError, OSError):  # some systems keep no such limits
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        signal.alarm(seconds)
        try:
            answer = render_page(orjson.loads(line)).to_data()
        except Exception as error:
            answer = {"error": type(error).__name__}
        signal.alarm(0)
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
