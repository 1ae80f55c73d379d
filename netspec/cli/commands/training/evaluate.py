"""``netspec evaluate``: evaluate a trained run again."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_run_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "evaluate",
        "Load the best weights of a run and print its loss and metrics on every part of its data, or on other data; of "
        "classes, which are taken for which, and precision, recall and f1 of each. "
        "The run's folder contains everything needed: transforms, classes and words are those of training, and "
        "columns are matched by name.",
    )
    add_run_arguments(command)
    command.add_argument(
        "--data",
        metavar="TEXT",
        help="other data: of the same kind a path, new.csv; else as under `train.data`, 'csv: new.csv'",
    )
    command.add_argument(
        "--augment-test",
        nargs="?",
        type=int,
        const=8,
        metavar="VIEWS",
        help="judge each row by the mean of what is said of it and of so many views of it (default: 8), which are "
        "augmented as the training rows are",
    )
    command.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="default: text; json has `scores` by the part of the data, their `spread` over folds, and `classes`",
    )


def run(options: Namespace) -> None:
    """Print the scores of the run."""
    from statistics import stdev

    from netspec.cli.given_weights import give_weights
    from netspec.cli.output import silent, warn
    from netspec.cli.scores import class_record, class_tables, score_table
    from netspec.diagnostics import UsageError
    from netspec.text.quoting import json_text
    from netspec.train.job import average, over_folds
    from netspec.train.predict.trained_run import TrainedRun
    from netspec.train.report.judged.judge import judge, judged_part
    from netspec.train.report.judged.judgement import Judgement, together

    if options.augment_test is not None and options.augment_test < 1:
        raise UsageError("--augment-test takes at least 1 view")
    views = options.augment_test or 0
    runs = TrainedRun.find(options.run, options.data, warn)
    give_weights(runs, options)
    scores: list[dict[str, dict[str, float]]] = []
    judgements: list[Judgement | None] = []
    for number, each in enumerate(runs):
        setup, parts = each.evaluated(options.runtime, warn if number == 0 else silent, views)
        scores.append({name: setup.evaluate(batches) for name, batches in parts.items()})
        part = judged_part(parts)
        judgements.append(judge(setup, part, parts[part]) if not views else None)
    judgement = together([each for each in judgements if each is not None], 0)
    judgement = judgement if judgement is not None and judgement.classes else None
    spread = over_folds(stdev, scores) if len(scores) > 1 else {}
    if options.format == "json":
        classes = None if judgement is None else class_record(judgement)
        print(json_text({"scores": average(scores), "spread": spread, "classes": classes}, indent=2))
        return
    print(score_table(average(scores), spread, {} if options.data is not None else runs[0].recipe.published))
    if judgement is not None:
        print(f"\n{class_tables(judgement)}")
