"""Reads what a diagram's DOT text draws."""

from __future__ import annotations

import re


def ids(text):
    return dict(re.findall(r'^ *(n\d+) \[id="([^"]*)"', text, re.MULTILINE))


def edges(text):
    """The edges that are seen, between spec paths, with their attributes and what is said on the way."""
    names = ids(text)
    said = dict(re.findall(r"^ *(n\d+) \[class=shape.*<td><font[^>]*>(.*)</font></td>", text, re.MULTILINE))
    found = re.findall(r"^ *(?:{ rank=same; )?(n\d+) -> (n\d+) \[(.*)\];(?: })?$", text, re.MULTILINE)
    ways = {}
    for start, end, attributes in found:
        if "invis" not in attributes:
            ways.setdefault(start, []).append((end, attributes))
    made = {}
    for start in names:
        for end, attributes in ways.get(start, ()):
            label = ""
            while end not in names:
                label = said.get(end, label)
                ((end, more),) = ways[end]
                attributes += more
            made[names[start], names[end]] = attributes + f" label={label}" * bool(label)
    return made


def groups(text):
    """The sets of nodes, as spec paths, that visible edges join; an edge may go by way of points and shapes."""
    group = {}
    for start, end, attributes in re.findall(r"\b(n\d+) -> (n\d+)(?: \[(.*?)\])?;", text):
        if "invis" not in attributes:
            merged = group.get(start, {start}) | group.get(end, {end})
            group.update(dict.fromkeys(merged, merged))
    names = ids(text)
    lone = [{name} for name in names if name not in group]
    distinct = {id(each): each for each in group.values()}
    return [{names[name] for name in each if name in names} for each in (*distinct.values(), *lone)]
