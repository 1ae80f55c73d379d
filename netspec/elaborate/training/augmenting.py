"""Checks of a recipe's transforms: each is for what it stands under, and mixes what can be mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.elaborate.reading.values import Reader
from netspec.elaborate.training.data_sizes import check_sizes, misfit
from netspec.graph import NetworkOutput, Requirement, Value
from netspec.recipes import Column
from netspec.recipes.binding import Unbound, bind_target
from netspec.recipes.data.base import Mixing, Transform
from netspec.recipes.recipe import Recipe


def check_transforms(recipe: Recipe, outputs: Mapping[str, NetworkOutput], reader: Reader) -> None:
    """Guard: what varies rows stands under `augment`, what learns from them under `prepare`, and losses take means."""
    for key, transforms, wrong in (("prepare", recipe.prepare, varies), ("augment", recipe.augment, learns)):
        for transform in filter(wrong, transforms):
            other = "augment" if key == "prepare" else "prepare"
            why = "varies rows at random" if key == "prepare" else "is learned from the training rows"
            message = f"`{transform.name}` {why}, so it cannot stand under `{key}`"
            help = f"write it under `{other}`"
            reader.error("bad-value", message, recipe.spans[key], help=help)
    mixing = next((each for each in recipe.augment if isinstance(each, Mixing)), None)
    if mixing is not None:
        check_losses(recipe, mixing, outputs, reader)


def check_sample(recipe: Recipe, outputs: Mapping[str, NetworkOutput], reader: Reader) -> None:
    """Guard: where classes are sampled, there are some, and the balance is kept by one means alone."""
    if recipe.settings.sample is None:
        return
    span = recipe.spans["sample"]
    judged = [(name, loss) for name, loss in recipe.losses.items() if loss.compares and loss.task != "numbers"]
    if not judged:
        message = "`sample` is for rows with classes, but no loss compares with any"
        reader.error("bad-value", message, span, help="leave it out")
        return
    output, loss = judged[0]
    count = outputs[output].value.shape[-1] if loss.task == "classes" else 2
    sample = recipe.settings.sample
    if isinstance(sample, list) and isinstance(count, int) and len(sample) != count:
        message = f"`sample` has {len(sample)} numbers, but there are {count} classes"
        reader.error("bad-value", message, span)
    if sample == "balanced" and "balanced" in (getattr(loss, "weight", None), getattr(loss, "pos_weight", None)):
        message = (
            f"`sample: balanced` gives classes equal weight, and so does `{loss.name}`: together rare ones dominate"
        )
        reader.error("bad-value", message, span, help="leave one of them out")


def varies(transform: Transform) -> bool:
    """Return whether a transform draws random numbers."""
    return transform.varies()


def learns(transform: Transform) -> bool:
    """Return whether a transform is fitted to the training rows."""
    return transform.fits


def check_losses(recipe: Recipe, mixing: Mixing, outputs: Mapping[str, NetworkOutput], reader: Reader) -> None:
    """Guard: every loss takes targets that are means of those of two rows."""
    for output, loss in recipe.losses.items():
        message = help = None
        if not loss.takes_means:
            message = f"`{loss.name}` compares with one right class, but `{mixing.name}` makes probabilities of two"
            help = "write `cross_entropy`, or `binary_cross_entropy` for two classes"
        elif getattr(loss, "ignore_index", None) is not None:
            message = f"`ignore_index` leaves out rows, but `{mixing.name}` makes a row of two"
            help = "leave one of them out"
        elif loss.task == "classes" and len(outputs[output].value.shape) != 2:
            message = f"`{mixing.name}` is for one class a row, but the output `{output}` has scores for several places"
            help = f"leave `{mixing.name}` out"
        elif loss.task == "classes" and not isinstance(outputs[output].value.shape[1], int):
            message = f"`{mixing.name}` needs to know how many classes the output `{output}` has scores for"
        if message is not None:
            reader.error("bad-value", message, recipe.spans["augment"], help=help)


def check_augmented(
    recipe: Recipe,
    columns: Mapping[str, Column],
    bound: Mapping[str, str],
    inputs: Mapping[str, Value],
    requirements: Sequence[Requirement],
    reader: Reader,
) -> None:
    """Guard: each augmentation is for some column, and the network takes what becomes of the training rows.

    ``columns`` are those that are prepared, ``bound`` has that of each input.
    """
    before, made = reader.report.count, dict(columns)
    for transform in recipe.augment:
        why = refused(transform, made, bound, inputs, recipe)
        if why is not None:
            reader.error("data-mismatch", why, recipe.spans["augment"], help="leave it out")
            continue
        made |= {name: transform.infer(column) for name, column in made.items() if transform.takes(column)}
    if made == columns or reader.report.count > before:
        return
    for name, column in bound.items():
        if (why := misfit(inputs[name], made[column])) is not None:
            message = f"augmented, the column `{column}` of `{recipe.data.name}` {why} `{name}`"
            help = "without `size`, `random_resized_crop` keeps that of the images"
            reader.error("data-mismatch", message, recipe.spans["augment"], help=help)
    if reader.report.count == before:
        check_sizes(recipe, made, bound, inputs, requirements, reader)


def refused(
    transform: Transform,
    columns: Mapping[str, Column],
    bound: Mapping[str, str],
    inputs: Mapping[str, Value],
    recipe: Recipe,
) -> str | None:
    """Return why an augmentation cannot be done to these columns; ``None`` where it can."""
    taken = {name: column for name, column in columns.items() if transform.takes(column)}
    if not taken:
        return f"`{transform.name}` applies to no column of `{recipe.data.name}`, so it would have no effect"
    if isinstance(transform, Mixing):
        return unmixable(transform, columns, bound, recipe)
    try:
        for column in taken.values():
            transform.infer(column)
    except ValueError as found:
        return str(found)
    return None


def unmixable(transform: Mixing, columns: Mapping[str, Column], bound: Mapping[str, str], recipe: Recipe) -> str | None:
    """Return why rows cannot be mixed; ``None`` where they can: all that is read is, and each target is of a row."""
    for name, column in bound.items():
        if not transform.takes(columns[column]):
            kind = "images" if transform.name == "cutmix" else "real numbers"
            found = f"the input `{name}` reads the column `{column}`, which has none"
            return f"`{transform.name}` mixes {kind}, but {found}"
    if transform.name == "cutmix" and len({columns[column].shape[1:] for column in bound.values()}) > 1:
        return "`cutmix` takes one rectangle of all images of a row, but these differ in size"
    for loss in recipe.losses.values():
        try:
            target = columns[bind_target(columns, loss, [*bound.values()])]
        except Unbound:
            continue
        if loss.compares and len(target.shape) > 1:
            return f"`{transform.name}` mixes one target a row, but those of `{loss.name}` are for several places"
    return None
