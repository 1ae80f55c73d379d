"""The rules for initial values: collected from the whole spec, then held against the parameters that there are."""

from __future__ import annotations

from netspec.elaborate.passes.draft import Draft


def collect_rules(draft: Draft) -> None:
    """Set ``init``: the rules at the top of the spec, then those on steps, then those of ``train``; later ones win."""
    draft.init = draft.rules
    if draft.body.has_init:
        from netspec.elaborate.passes.init_steps import placed_rules  # many specs have none

        draft.init += placed_rules(draft.body)
    if draft.start is not None:
        from netspec.elaborate.passes.init_rules import read_start

        draft.init += read_start(draft.start, draft.body, draft.reader, draft.env)


def check_rules(draft: Draft) -> None:
    """Report rules for parameters that do not exist, and functions that cannot fill what they are for."""
    assert draft.init is not None
    if not draft.init:
        return
    from netspec.elaborate.passes.init_limits import check_shapes  # many specs have none
    from netspec.elaborate.passes.init_rules import check_paths

    check_paths(draft.init, draft.body, draft.reader, draft.own)
    check_shapes(draft.init, draft.body, draft.reader)
    draft.reader.report.raise_if_any()
