"""``netspec train``: train a network on its data."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_spec_arguments, add_weights_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "train",
        "Train a network as its `train:` key specifies. The run is written to runs/NAME/1, 2, …: metrics, checkpoints"
        " and the best weights. Ctrl-C, once or twice, finishes the current step and saves; --resume continues, bit "
        "for bit, with the spec and the values that the run was begun with. Any key of the recipe can be set: "
        "--set train.epochs=10 --set train.optimizer.lr=0.01. More epochs than before extend a run: --resume last "
        "--set train.epochs=20.",
    )
    add_spec_arguments(command, required=False, more="; --resume needs none")
    add_weights_argument(command)
    command.add_argument(
        "--devices",
        metavar="N",
        help="the number of processes on this machine, one per GPU if there are GPUs; or auto, cpu or cuda "
        "(default: as the spec says, else auto)",
    )
    command.add_argument(
        "--nnodes", metavar="N", help="the number of machines, or MIN:MAX; run the same command on each"
    )
    command.add_argument(
        "--rdzv-endpoint",
        metavar="HOST:PORT",
        help="the rendezvous endpoint: the name of one of the machines and a free port",
    )
    command.add_argument(
        "--max-restarts",
        type=int,
        metavar="N",
        default=0,
        help="how often to restart all processes from the last checkpoint when one dies (default: 0)",
    )
    command.add_argument(
        "--resume", metavar="RUN", help="resume a run: its folder, `last`, or with a SPEC its number among that one's"
    )
    command.add_argument(
        "--stretch-schedule",
        action="store_true",
        help="plan the schedule of a run that is extended for all of its epochs (default: it is done after those that "
        "it was planned for, and its last learning rate stays)",
    )
    command.add_argument(
        "--changed-data",
        action="store_true",
        help="resume even if the data have changed since the run began",
    )
    command.add_argument("--dry-run", action="store_true", help="print the plan and the first batch, and stop")
    command.add_argument(
        "--find-lr",
        nargs="?",
        type=int,
        const=100,
        metavar="STEPS",
        help="train for some steps (default: 100) while the learning rate rises, write the losses as a page, "
        "runs/NAME/learning_rate.html, suggest a rate, and stop",
    )
    command.add_argument("-o", "--output", metavar="DIR", help="the run's folder (default: the next in runs/NAME)")


def run(options: Namespace) -> int:
    """Train the network, or print the plan."""
    from netspec.cli.option_values import limits_of, overrides_of, sizes_of, weights_of
    from netspec.diagnostics import UsageError
    from netspec.pipeline import compile_loaded, load_spec
    from netspec.recipes.weights import written_source

    if options.devices is not None:
        options.set.append(f"train.devices={options.devices}")
    if (source := weights_of(options)) is not None:
        options.set.append(f"train.weights={written_source(source)}")
    overrides, sizes, limits = overrides_of(options), sizes_of(options), limits_of(options)
    _guard_options(options)
    loaded = None if options.spec is None else load_spec(options.spec, limits.file)
    if options.resume is not None:
        from netspec.cli.commands.training.train.resume import resume

        return resume(loaded, options, limits)
    if loaded is None:
        raise UsageError("name a SPEC to train, or a run to go on with: `netspec train --resume last`")
    graph = compile_loaded(loaded, variant=options.variant, overrides=overrides, sizes=sizes, limits=limits)
    from netspec.cli.commands.training.train.work import train  # loads torch, so a spec at fault is told before

    return train(graph, loaded, options)


def _guard_options(options: Namespace) -> None:
    """Guard: options that are for runs that go on come with one, and the others without."""
    from netspec.diagnostics import UsageError

    if options.resume is None:
        alone = {"--stretch-schedule": options.stretch_schedule}
        if given := [name for name, value in alone.items() if value]:
            raise UsageError(f"{given[0]} is for a run that becomes longer: `--resume last --set train.epochs=N`")
    elif options.output is not None:
        raise UsageError("--resume goes on in the run's own folder: leave -o out")
    elif options.find_lr is not None:
        raise UsageError(
            "--find-lr starts with the network's first weights, and --resume with later ones: leave one out"
        )
