"""`serve.py MODULE PORT`: serve the WSGI application of a module on the loopback, with waitress.

Runs in the environment of the real services; imports nothing of Kilonova. The services read `sys.argv` themselves when
they are imported, so the arguments are taken away first; that is also why a server's own command line is of no use.
"""

import importlib
import sys

THREADS = 4


def main() -> None:
    """Serve until the process is ended."""
    program, module, port = sys.argv
    sys.argv = [program]
    application = importlib.import_module(module).application
    from waitress import serve  # noqa: PLC0415 - after the service, which may patch the standard library first

    serve(application, host="127.0.0.1", port=int(port), threads=THREADS)


if __name__ == "__main__":
    main()
