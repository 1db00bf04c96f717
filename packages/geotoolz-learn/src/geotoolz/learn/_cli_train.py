"""``geotoolz learn train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigArg = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see the guide 'Training'.")]
OutArg = Annotated[
    Path, typer.Argument(metavar="OUT", help="Folder of the run; one that was interrupted goes on.")
]


def train(
    config: ConfigArg,
    out: OutArg,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew in a folder that holds a run.")] = False,
) -> None:
    """Train a segmentation or super-resolution network on chips; print its scores where it has never been.

    Example: geotoolz learn train training.yaml run/
    """
    from geotoolz._cli._console import say, told
    from geotoolz.learn import TrainConfig
    from geotoolz.learn._torch_import import require

    told_to = TrainConfig.load(config)  # mistakes are said before torch is imported, which takes seconds
    require("torch", "geotoolz learn train")
    from geotoolz.learn._train import train as run_training

    epochs = told_to.fit.epochs
    run = run_training(
        told_to,
        out,
        fresh=fresh,
        on_epoch=lambda row: _tell(row, epochs),
        on_resume=lambda done: told(f"goes on after epoch {done} of {epochs}"),
    )
    say(str(run))
    for name in ("model.pt", "report.html", "scores.json"):
        say(str(run.folder / name))
    say(f"sha256 {run.checkpoint.sha256}")


def _tell(row: dict[str, Any], epochs: int) -> None:
    from geotoolz._cli._console import told

    told(
        f"epoch {row['epoch'] + 1} of {epochs}: loss {row['train_loss']:.4f}, validation "
        f"{row['validation_loss']:.4f}, score {row['validation_score']:.4f}"
    )
