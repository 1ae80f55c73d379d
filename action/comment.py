"""Write a summary as a comment on a pull request, in the place of the one that an earlier run wrote.

It takes the file; TOKEN, PULL_REQUEST and PAGES (a link to the pages, or nothing) stand in the environment, beside what
GitHub puts there. A token that may not write, as that of a fork's pull request, is a warning and no failure.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARKER = "<!-- netspec: what has changed -->"
LONGEST = 65_000


def main(path: Path) -> None:
    """Write the comment, or tell why it cannot be."""
    text = path.read_text(encoding="utf-8")
    if pages := os.environ.get("PAGES"):
        text += f"\n[Both networks as one diagram, with costs and YAML]({pages}): open the page in a browser.\n"
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition("\n<details>")[0] + "\n"
    repository, number = os.environ["GITHUB_REPOSITORY"], int(os.environ["PULL_REQUEST"])
    issue = f"/repos/{repository}/issues"
    try:
        earlier = earlier_comment(f"{issue}/{number}/comments")
        if earlier is None:
            ask("POST", f"{issue}/{number}/comments", {"body": text})
        else:
            ask("PATCH", f"{issue}/comments/{earlier}", {"body": text})
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403, 404):
            raise
        print(
            f"::warning title=netspec::the comment was not written: GitHub answered {error.code}; it is in the summary"
        )


def earlier_comment(path: str) -> int | None:
    """Return the number of the comment that an earlier run wrote, if there is one."""
    page = 1
    while True:
        found = ask("GET", f"{path}?per_page=100&page={page}")
        for each in found:
            if str(each["body"]).startswith(MARKER):
                return int(each["id"])
        if len(found) < 100:
            return None
        page += 1


def ask(method: str, path: str, body: Any = None) -> Any:
    """Ask GitHub's interface, and return its answer."""
    request = urllib.request.Request(
        os.environ.get("GITHUB_API_URL", "https://api.github.com") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
