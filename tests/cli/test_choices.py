"""A name on the command line that means nothing is answered with those that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.cli import main


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--variant", "zzz"], "no variant `zzz`: one of `v0`, `v1`, `v2`, `v3`, `v4`, `v5`, `v6`, `v7` and 2 more"),
        (["--variant", ""], "no variant ``: one of `v0`, `v1`"),
        (["--set", "zzz=1"], "no parameter `zzz`: one of `p0`, `p1`, `p2`, `p3`, `p4`, `p5`, `p6`, `p7` and 2 more"),
        (["--dim", "zzz=1"], "no dimension `zzz`: there is only `N`"),
        (["--set", "p0="], "--set p0= gives no value"),
    ],
)
def test_what_there_is_instead(options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    params = ", ".join(f"p{number}: {number + 1}" for number in range(10))
    variants = ", ".join(f"v{number}: {{p{number}: 3}}" for number in range(10))
    spec = tmp_path / "net.yaml"
    spec.write_text(
        f"netspec: 1\nname: net\nparams: {{{params}}}\nvariants: {{{variants}}}\ninputs: {{x: [N, 4]}}\n"
        f"network: [{{linear: {'+'.join(f'p{number}' for number in range(10))}}}]\n"
    )
    assert main(["shapes", str(spec), *options]) == 2
    assert told in capsys.readouterr().err
