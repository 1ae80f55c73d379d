"""Links to the playground that hold a spec, in the part of the address that no server is sent."""

from __future__ import annotations

import base64
import zlib


def fragment(text: str) -> str:
    """Return the part of a link behind its ``#`` that opens a spec: the text, deflated, in URL-safe base64."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(text.encode()) + packer.flush()
    return "spec=" + base64.urlsafe_b64encode(packed).decode().rstrip("=")
