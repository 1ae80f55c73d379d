"""Every diagnostic id: what it means, why it is a mistake, and a wrong and a right spec.

The tests run each wrong spec, which must give its id and no other, and each right one, which must pass.
"""

from __future__ import annotations

from netspec.diagnostics.catalogue.base import Explanation, complete
from netspec.diagnostics.catalogue.form import FORM
from netspec.diagnostics.catalogue.meaning import MEANING
from netspec.diagnostics.catalogue.network import NETWORK
from netspec.diagnostics.catalogue.yaml import YAML

__all__ = ["CATALOGUE", "PHASES", "Explanation", "complete"]

PHASES: dict[str, dict[str, Explanation]] = {
    "The text of a file": YAML,
    "The form of a spec": FORM,
    "Names and values": MEANING,
    "The network": NETWORK,
}
CATALOGUE: dict[str, Explanation] = {id: entry for entries in PHASES.values() for id, entry in entries.items()}
