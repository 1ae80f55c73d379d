"""Builds the documentation site: ``python docs/build.py`` writes ``build/site``, with nothing loaded from elsewhere.

``--serve`` also serves it to this machine; ``--playground`` adds the playground, in which each spec of a page opens.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from sitemaker.assemble import build  # noqa: E402  # beside this file

PORT = 8000


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("-o", "--output", type=Path, default=HERE.parent / "build" / "site", help="default: build/site")
    parser.add_argument("--serve", action="store_true", help=f"serve it at http://localhost:{PORT} afterwards")
    parser.add_argument("--playground", action="store_true", help="with the playground; fetches its packages at first")
    options = parser.parse_args()
    built = build(options.output, options.playground)
    print(f"wrote {built}: {sum(1 for _ in built.rglob('*.html'))} pages")
    if options.serve:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=built)
        with http.server.ThreadingHTTPServer(("localhost", PORT), handler) as server:
            print(f"http://localhost:{PORT}")
            server.serve_forever()


if __name__ == "__main__":
    main()
