"""Train a shipped model: ``python -m llmlab.models.train --model target``.

Ctrl-C writes a checkpoint; the same command goes on from it. ``--seconds 30`` is a smoke run: it stops
after that time and exports what it has.
"""

from __future__ import annotations

import math
import platform
import shlex
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer

from llmlab.models.train import corpus
from llmlab.models.train.data import mean_loss, pack
from llmlab.models.train.dice import Dice
from llmlab.models.train.export import export
from llmlab.models.train.loop import Run, bf16_pays
from llmlab.models.train.shapes import PLANS
from llmlab.models.train.tokenizer import train_tokenizer

SHIPPED = Path(__file__).parent.parent / "weights"
console = Console()


def _versions() -> dict[str, str]:
    import safetensors
    import tokenizers

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tokenizers": tokenizers.__version__,
        "safetensors": safetensors.__version__,
    }


def _tokenizer(text: corpus.Corpus) -> tuple[Tokenizer, str]:
    """The shipped tokenizer, so that every model shares one; trained anew only where none is shipped."""
    path = SHIPPED / "target" / "tokenizer.json"
    if path.exists():
        return Tokenizer.from_file(str(path)), "shipped"
    return train_tokenizer(doc for docs in text.train.values() for doc in docs), "trained on this text"


def _command(arguments: list[str]) -> str:
    """The command line to write down; where the folder was is nobody's business."""
    kept = [
        a for i, a in enumerate(arguments) if not a.startswith("--out") and arguments[i - 1 : i] != ["--out"]
    ]
    return shlex.join(["python", "-m", "llmlab.models.train", *kept])


def _text_facts(text: corpus.Corpus, rows: dict[str, torch.Tensor]) -> dict[str, object]:
    return {
        "seed": corpus.SEED,
        "procedural_sha256": text.procedural_sha256,
        "docstrings_sha256": text.docstrings_sha256,
        "bytes": text.bytes_of("train"),
        "documents": {kind: len(docs) for kind, docs in text.train.items()},
        "validation_documents": {kind: len(docs) for kind, docs in text.validation.items()},
        "validation_documents_all": {kind: len(docs) for kind, docs in text.validation_all.items()},
        "train_tokens": len(rows["train"]),
        "validation_tokens": len(rows["validation"]),
    }


def _losses(run: Run, rows: dict[str, torch.Tensor], names: list[str]) -> dict[str, float]:
    return {name: round(mean_loss(run.model, rows[name]), 4) for name in names}


def main(
    model: Annotated[str, typer.Option(help="Which model: " + " or ".join(PLANS) + ".")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default runs/<model>.")] = None,
    seconds: Annotated[
        float, typer.Option(help="Stop after so many seconds and export (a smoke run).")
    ] = math.inf,
    steps: Annotated[int | None, typer.Option(help="Another number of steps than the plan's.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 1,
    scale: Annotated[float, typer.Option(help="Share of the text to generate.")] = 1.0,
    export_every: Annotated[int, typer.Option(help="Export every so many steps as well; 0 for never.")] = 0,
) -> None:
    """Generate the text, train, and write a Hugging Face folder with a manifest."""
    if model not in PLANS:
        console.print(
            f"[red]--model {model!r}: there is no such plan. Choose one of: {', '.join(PLANS)}.[/red]"
        )
        raise typer.Exit(2)
    plan = replace(PLANS[model], steps=steps) if steps else PLANS[model]
    out = out or Path("runs") / model
    torch.set_num_threads(threads)
    console.print("making the text ...")
    text = corpus.build(scale)
    tokenizer, tokenizer_origin = _tokenizer(text)
    docs = {
        "train": Dice(plan.seed).shuffled([d for ds in text.train.values() for d in ds]),
        "validation": [d for ds in text.validation.values() for d in ds],
        "validation_all": [d for ds in text.validation_all.values() for d in ds],
    }
    rows = {name: pack(tokenizer, part) for name, part in docs.items()}
    console.print(f"{len(rows['train']):,} training tokens, {len(rows['validation']):,} for validation")
    run = Run(plan, rows["train"], out / "checkpoint.pt", autocast=bf16_pays())
    tail: list[float] = []
    facts = {
        "model": model,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "seed": plan.seed,
        "batch": plan.batch,
        "context": plan.context,
        "muon_lr": plan.muon_lr,
        "adam_lr": plan.adam_lr,
        "planned_steps": plan.last,
        "drilled": plan.drilled,
        "drill_steps": plan.drill_steps,
        "cosine_steps": plan.steps,
        "autocast_bf16": run.autocast,
        "threads": threads,
        "tokenizer": tokenizer_origin,
        "text": _text_facts(text, rows),
        "versions": _versions(),
        "machine": platform.machine(),
        "command": _command(sys.argv[1:]),
        "text_licence": "see LICENSE-text.md",
    }

    def write(names: list[str]) -> dict[str, float]:
        losses = _losses(run, rows, names)
        now = {
            "date": time.strftime("%Y-%m-%d"),
            "steps": run.step,
            "tokens": run.step * plan.batch * plan.context,
            "wall_seconds": round(run.seconds),
            "loss": {"train_last_50": round(sum(tail) / len(tail), 4), **losses},
        }
        export(run.model, tokenizer, out, {**facts, **now})
        notice = SHIPPED / "LICENSE-text.md"
        if notice.exists() and notice.parent != out:
            shutil.copy(notice, out / notice.name)
        return losses

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(model, total=plan.last, completed=run.step)

        def each(loss: float) -> None:
            tail.append(loss)
            del tail[:-50]
            bars.update(bar, completed=run.step, description=f"{model} loss {sum(tail) / len(tail):.3f}")
            if run.step % 50 == 0:
                console.print(f"step {run.step}: loss {sum(tail) / len(tail):.4f}, {run.seconds:.0f} s")
                run.save()
            if export_every and run.step % export_every == 0:
                console.print(f"step {run.step}: {write(['validation'])}")

        try:
            run.finish(each, seconds)
        except KeyboardInterrupt:
            run.save()
            console.print(f"stopped at step {run.step}; the same command goes on from there")
            raise typer.Exit(130) from None
    kinds = {f"validation_{kind}": pack(tokenizer, ds) for kind, ds in text.validation.items()}
    rows |= {name: row for name, row in kinds.items() if len(row) > plan.context}
    console.print(write([name for name in rows if name != "train"]))
    console.print(f"written to {out}")


if __name__ == "__main__":
    typer.run(main)
