"""Links that hold a spec."""

from __future__ import annotations

import base64
import re
import zlib

import pytest

from netspec.playground.link import fragment


@pytest.mark.parametrize("text", ["", "netspec: 1\n", "größe 😀\n", "x" * 100_000])
def test_a_fragment_is_the_deflated_text_in_letters_for_addresses(text: str):
    code = fragment(text).removeprefix("spec=")
    assert re.fullmatch(r"[\w-]+", code)
    packed = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
    assert zlib.decompress(packed, wbits=-zlib.MAX_WBITS).decode() == text
