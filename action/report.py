"""Check the specs of a git repository, compare them with a base revision, and write what a pull request shows.

It runs in the repository, with SPECS, BASE and STRICT in the environment, and takes the folder to write to:
``summary.md``, ``check.sarif`` and a page for each network that has changed. Annotations go to stdout as GitHub's
workflow commands, outputs and the summary to the files that GITHUB_OUTPUT and GITHUB_STEP_SUMMARY name. It needs
nothing but netspec, and ends with 0 where specs have errors: the output ``failed`` tells of them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

NETWORK = re.compile(rb"^(network|extends)\s*:", re.MULTILINE)
DECLARED = re.compile(rb"^netspec\s*:", re.MULTILINE)
MARKER = "<!-- netspec: what has changed -->"
LONGEST_TEXT = 8000
"""Characters of the text of one difference in the summary: a comment holds 65536."""
MOST_DETAILS = 5
SIGNS = {"added": "+", "removed": "−", "changed": "~"}


class Found(NamedTuple):
    """A spec of the repository and what has become of it: ``changed``, ``new``, ``gone``, ``same`` or ``broken``."""

    spec: str
    state: str
    difference: Mapping[str, Any] | None = None
    text: str = ""
    page: str = ""


def main(folder: Path) -> None:
    """Write the report into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    base = resolved(os.environ.get("BASE", ""))
    specs = specs_in(os.environ.get("SPECS", "").split("\n"))
    failed = check(specs, os.environ.get("STRICT") == "true", folder)
    found = list(compared(specs, base, folder)) if base else []
    summary = summary_of(specs, failed, found, base)
    (folder / "summary.md").write_text(summary, encoding="utf-8")
    append("GITHUB_STEP_SUMMARY", summary)
    changed = [each for each in found if each.state in ("changed", "new", "gone")]
    pages = sum(bool(each.page) for each in found)
    outputs = {"failed": str(failed).lower(), "changed": len(changed), "pages": pages, "report": folder}
    append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items()))


def append(variable: str, text: str) -> None:
    """Append text to the file that a variable names, if it does."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def git(*arguments: str) -> bytes | None:
    """Return what git prints, or nothing where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def resolved(base: str) -> str:
    """Return the commit to compare with: where the work began that is now at HEAD. A shallow clone fetches it.

    Empty where there is none, as for a branch that is pushed for the first time.
    """
    if not base or set(base) == {"0"} or base.startswith("-"):
        return ""
    if git("cat-file", "-e", f"{base}^{{commit}}") is None:
        git("fetch", "-q", "--no-tags", "--depth=1", "origin", base)
    commit = git("rev-parse", "-q", "--verify", f"{base}^{{commit}}")
    if commit is None:
        print(f"::warning title=netspec::the base {escaped(base)} is not in this clone: nothing is compared")
        return ""
    found = commit.decode().strip()
    return (git("merge-base", found, "HEAD") or commit).decode().strip()


def specs_in(patterns: Sequence[str], revision: str = "") -> list[str]:
    """Return the files that are networks, as they are or in a revision, by git's patterns or by what they say."""
    wanted = [pattern.strip() for pattern in patterns if pattern.strip()] or ["*.yaml", "*.yml"]
    command = ["ls-files", "-z"] if not revision else ["ls-tree", "-r", "-z", "--name-only", "--full-name", revision]
    listed = git(*command, "--", *wanted) if not revision else git(*command)
    names = [name.decode() for name in (listed or b"").split(b"\0") if name]
    if revision:
        tracked = {name for name in names if name.endswith((".yaml", ".yml"))}
        return sorted(name for name in tracked if is_network(git("show", f"{revision}:{name}") or b""))
    return sorted(name for name in names if Path(name).is_file() and is_network(Path(name).read_bytes()))


def is_network(text: bytes) -> bool:
    """Return whether a file declares itself a spec, and is more than blocks for others."""
    return bool(DECLARED.search(text) and NETWORK.search(text))


def netspec(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run netspec with some arguments."""
    command = [sys.executable, "-m", "netspec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def check(specs: Sequence[str], strict: bool, folder: Path) -> bool:
    """Check specs: annotations on stdout, SARIF into a file. Return whether one has an error."""
    if not specs:
        return False
    options = ["--strict"] if strict else []
    paths = [f"./{spec}" for spec in specs]
    annotated = netspec("check", "--error-format", "github", *options, *paths)
    sys.stdout.write(annotated.stdout.replace("file=./", "file="))
    sys.stderr.write(annotated.stderr)
    sarif = netspec("check", "--error-format", "sarif", *options, *paths)
    (folder / "check.sarif").write_text(sarif.stdout, encoding="utf-8")
    return annotated.returncode != 0


def compared(specs: Sequence[str], base: str, folder: Path) -> Iterator[Found]:
    """Compare each spec with what it was, and write a page where its network has changed."""
    before = set(specs_in([], base))
    for spec in specs:
        if spec not in before and git("cat-file", "-e", f"{base}:{spec}") is None:
            yield Found(spec, "new", totals(spec))
            continue
        page = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', spec)}.html"
        told = netspec("diff", f"./{spec}@{base}", f"./{spec}", "--format", "json", "-o", str(page))
        if told.returncode != 0:
            yield Found(spec, "broken")
            continue
        difference = json.loads(told.stdout)
        if difference["equal"]:
            page.unlink(missing_ok=True)
            yield Found(spec, "same")
            continue
        text = netspec("diff", f"./{spec}@{base}", f"./{spec}").stdout
        yield Found(spec, "changed", difference, text, page.name)
    if not os.environ.get("SPECS", "").strip():
        yield from (Found(spec, "gone") for spec in sorted(before - set(specs)) if not Path(spec).exists())


def totals(spec: str) -> Mapping[str, Any] | None:
    """Return the totals of a new network, in the form that a difference has them."""
    told = netspec("shapes", f"./{spec}", "--format", "json")
    if told.returncode != 0:
        return None
    found = json.loads(told.stdout)["totals"]
    return {"totals": {kind: [None, found[kind]] for kind in ("params", "macs")}}


def summary_of(specs: Sequence[str], failed: bool, found: Sequence[Found], base: str) -> str:
    """Return the summary as Markdown."""
    lines = [MARKER, "### netspec", ""]
    verdict = "an error, see the annotations" if failed else "no error"
    lines.append(f"{len(specs)} {'spec' if len(specs) == 1 else 'specs'} checked: {verdict}.")
    told = [each for each in found if each.state != "same"]
    if not base:
        return "\n".join([*lines, ""])
    if not told:
        return "\n".join([*lines, f"No network has changed since {base[:8]}.", ""])
    lines += ["", "| network | parameters | MACs | layers |", "| --- | ---: | ---: | --- |"]
    lines += map(row, told)
    for each in [each for each in told if each.text][:MOST_DETAILS]:
        text = each.text if len(each.text) <= LONGEST_TEXT else each.text[:LONGEST_TEXT] + "\n…"
        fence = "`" * (max([2, *map(len, re.findall("`+", text))]) + 1)
        lines += [
            "",
            f"<details><summary>{code(each.spec)}</summary>",
            "",
            fence,
            text.rstrip(),
            fence,
            "",
            "</details>",
        ]
    return "\n".join([*lines, ""])


def row(found: Found) -> str:
    """Return a line of the table."""
    if found.difference is None:
        said = {"gone": "removed", "broken": "not comparable: one of the two has an error", "new": "new, with an error"}
        return f"| {code(found.spec)} | | | {said[found.state]} |"
    before_and_after = [found.difference["totals"][kind] for kind in ("params", "macs")]
    numbers = [numbers_text(*pair) for pair in before_and_after]
    if found.state == "new":
        return f"| {code(found.spec)} | {' | '.join(numbers)} | new |"
    rows = found.difference["rows"]
    counts = {side: len(rows[side]) for side in ("added", "removed")}
    counts["changed"] = sum(not each["follows"] for each in rows["changed"])
    layers = ", ".join(f"{SIGNS[side]}{count} {side}" for side, count in counts.items() if count)
    return f"| {code(found.spec)} | {' | '.join(numbers)} | {layers or 'around the layers'} |"


def numbers_text(before: int | None, after: int) -> str:
    """``11,689,512 → 21,797,672 (+86.5%)``; one number where it stays or is new."""
    if before is None or before == after:
        return f"{after:,}"
    share = f" ({(after - before) / before:+.1%})" if before else ""
    return f"{before:,} → {after:,}{share}"


def code(text: str) -> str:
    """A text as HTML that Markdown leaves as it is, in a table too."""
    for sign in ("&", "<", ">", "|", "`", "*", "_", "[", "]", "\\", "~", "@", "#", "!"):
        text = text.replace(sign, f"&#{ord(sign)};") if sign != "&" else text.replace("&", "&amp;")
    return f"<code>{' '.join(text.split())}</code>"


def escaped(text: str) -> str:
    """A text for a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
