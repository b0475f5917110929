"""The list of studies: question, duration, result file and options of each.

A study is a module with `study(output, **options)`. None is imported here, so that the list is
quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sow.errors import UsageError
from sow.utils.suggestions import did_you_mean

FIGURES, JUDGE = "sow.benchmarks.figures.studies", "sow.benchmarks.figures.judge"
BATCH, RESULTS = "sow.benchmarks.batch", "benchmarks/figures/studies/results"
JUDGED, KILLED = "benchmarks/figures/judge/results", "benchmarks/batch/results"


@dataclass(frozen=True)
class Option:
    """An option of a study.

    Attributes:
        default: None for an optional file.
        kind: int, float, str, bool or Path.
        least: the smallest allowed number.
        choices: the allowed values; empty for any.
        argument: whether it is positional.
    """

    name: str
    default: Any
    help: str
    kind: type = int
    least: float | None = None
    choices: tuple[str, ...] = ()
    argument: bool = False

    def check(self, value: Any) -> None:
        """Check a value against the choices.

        Raises:
            UsageError: if it is not one of them.
        """
        if self.choices and value not in self.choices:
            raise UsageError(f"unknown {self.name} {value!r}", choose(value, self.choices))


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        module: the module with its code.
        question: what it finds out, in a line.
        duration: how long it takes with its defaults, on one core.
        table: the file of its results, relative to the root of the repository.
    """

    name: str
    module: str
    question: str
    duration: str
    table: str
    options: tuple[Option, ...] = ()

    def check(self, values: dict[str, Any]) -> None:
        """Check the options before anything heavy is loaded.

        Raises:
            UsageError: if one has an unknown value.
        """
        for option in self.options:
            option.check(values[option.name])

    def run(self, output: Any, values: dict[str, Any]) -> None:
        """Run the study.

        Raises:
            SowError: for an unknown option value, a package that is not installed, or a file that
                cannot be written.
        """
        self.check(values)
        try:
            import_module(self.module).study(output, **values)
        except ModuleNotFoundError as error:
            if (error.name or "sow").split(".")[0] == "sow":
                raise
            raise UsageError(
                f"{self.name} needs {error.name}", "pip install 'sow[benchmarks]'"
            ) from None


def count(default: int, help: str = "Pictures per row.") -> Option:
    """Return the option `count`."""
    return Option("count", default, help, least=1)


def table(*choices: str) -> Option:
    """Return the argument that names one of several tables."""
    return Option(
        "table", None, f"Which table: {', '.join(choices)}.", str, choices=choices, argument=True
    )


TUNING = Option("tuning", False, "Use the people and captions reserved for tuning.", bool)
WORKERS = Option("workers", 2, "Processes, one thread each.", least=1)
ANOTHER_JUDGE = Option("judge", None, "Weights of another judge (.safetensors).", Path)
STUDIES = (
    Study("recognisable", f"{FIGURES}.recognisable",
          "Does the planted face stay recognisable, and which settings help?",
          "40 minutes (fresh)", f"{RESULTS}/recognisable-fresh-normal.md",
          (table("choices", "pareto", "guided", "fresh", "limit"),
           Option("setting", "all", "normal, attribute, style or all.", str,
                  choices=("normal", "attribute", "style", "all")),
           Option("count", 0, "Pictures per row; 0: as in the published table.", least=0))),
    Study("presets", f"{FIGURES}.presets",
          "How do the presets compare in likeness, prompt, heads, variety, colour and cost?",
          "an hour (fresh)", f"{RESULTS}/presets-fresh-normal.md",
          (table("before", "fresh"),
           Option("setting", "all", "normal, attribute, style or all.", str,
                  choices=("normal", "attribute", "style", "all")),
           Option("count", 0, "People per row; 0: as in the published table.", least=0))),
    Study("modulation", f"{FIGURES}.modulation",
          "What does each part of attention modulation do, and the cycles, compared with COW?",
          "an hour and a half (ablation)", f"{RESULTS}/modulation-ablation.md",
          (table("tuning", "fresh", "ablation", "cycles", "sheet"), count(200))),
    Study("relations", f"{FIGURES}.relations",
          "Do pictures respect relations, with layout and without?",
          "two and a half hours", f"{RESULTS}/relations.md",
          (count(200, "Captions per class."),
           Option("first", 0, "Number of the first caption.", least=0), TUNING, WORKERS)),
    Study("relations-planted", f"{FIGURES}.relations_planted",
          "Do relations to a planted face hold, and what do they cost the face?",
          "70 minutes", f"{RESULTS}/relations-planted.md",
          (count(200, "Faces per class."), TUNING, WORKERS)),
    Study("planning", f"{FIGURES}.planning",
          "How much does planning help: a perfect model against rules and random places?",
          "20 minutes", f"{RESULTS}/planning.md", (count(200),)),
    Study("refining", f"{FIGURES}.refining",
          "Does it help to adapt the layout to where objects form?",
          "a quarter of an hour", f"{RESULTS}/refining.md", (count(24, "Captions per class."),)),
    Study("fewer", f"{FIGURES}.fewer",
          "What do fewer UNet samples per picture cost, together and one change at a time?",
          "half an hour (fresh)", f"{RESULTS}/fewer.md",
          (table("fresh", "again", "leads"),
           Option("kind", "all", "figures, guided or all.", str,
                  choices=("figures", "guided", "all")))),
    Study("finding", f"{FIGURES}.finding",
          "How well are faces found, and lost ones noticed?",
          "ten minutes", f"{RESULTS}/finding.md", (count(200, "Faces."),)),
    Study("mattes", f"{FIGURES}.mattes", "How well are heads cut out?",
          "a minute", f"{RESULTS}/mattes.md", (count(200, "People."),)),
    Study("seeing", f"{FIGURES}.seeing",
          "How well are graphs read from pictures, and relations verified?",
          "ten minutes", f"{RESULTS}/seeing.md", (count(200, "Drawings."), TUNING)),
    Study("absent", f"{FIGURES}.absent",
          "How often is a thing said to be in a picture without it?",
          "forty minutes", f"{RESULTS}/absent.md", (count(100, "Pictures of each kind."), WORKERS)),
    Study("model", f"{FIGURES}.evaluate",
          "What can the figures model do: text alone, inversion, cycles, settings?",
          "half an hour", f"{RESULTS}/model.md",
          (count(200), Option("captions", 500, "Captions for text alone, 500 at most.", least=1),
           Option("drawings", 64, "Drawings to invert.", least=1),
           Option("model", "figures", "Another model of the drawn world.", str), ANOTHER_JUDGE,
           Option("choose", None, "Only choose captions that are not in this JSON file.", Path))),
    Study("contact-sheet", f"{FIGURES}.contact_sheet",
          "Does a body grow under the planted face? Three people, four prompts, two boxes.",
          "a minute", f"{RESULTS}/contact-sheet.png",
          (Option("examples", Path("examples"), "Folder of the faces.", Path),)),
    Study("things-sheet", f"{FIGURES}.things_sheet",
          "What happens to photographs of subjects other than faces?",
          "a minute", f"{RESULTS}/things.png", (count(4, "Photographs."),)),
    Study("proxies", f"{FIGURES}.proxies",
          "How well do automatic metrics agree with the known truth?",
          "six minutes", "benchmarks/tv2i/metrics/results/proxies.md",
          (count(100, "People."), TUNING)),
    Study("judge", f"{JUDGE}.accuracy", "How reliable is the judge?",
          "ten minutes", f"{JUDGED}/judge.md", (ANOTHER_JUDGE, count(1200, "Drawings."))),
    Study("judge-keeping", f"{JUDGE}.accuracy_keeping",
          "How reliable is the judge about what became of a planted head?",
          "ten minutes", f"{JUDGED}/keeping.md", (count(300, "People."),)),
    Study("judge-colour", f"{FIGURES}.judge_colour",
          "How reliable is the judge about the colour of clothes and variety?",
          "half an hour", f"{JUDGED}/colour.md",
          (count(600, "Drawings."), Option("pairs", 40, "Pairs to grow.", least=3))),
    Study("eye-sheet", f"{FIGURES}.eye_sheet",
          "Draw pictures with the judge's verdicts, to check by eye.",
          "two minutes", f"{JUDGED}/judge-by-eye.png", (count(100, "Pictures."),)),
    Study("keeping-sheet", f"{FIGURES}.keeping_sheet",
          "Draw pictures with the judge's verdicts on each planted head, to check by eye.",
          "two minutes", f"{JUDGED}/keeping-by-eye.png", (count(100, "Pictures."),)),
    Study("survival", f"{BATCH}.survival",
          "Does a batch survive being killed again and again?",
          "a quarter of an hour", f"{KILLED}/survival.md",
          (Option("jobs", 200, "Jobs.", least=1), Option("kills", 30, "Kills.", least=1),
           Option("size", 4, "Batch size.", least=1),
           Option("seed", 1, "Seed of the random kill times.", least=0))),
    Study("throughput", f"{BATCH}.throughput", "How many pictures per second, by batch size?",
          "six minutes", f"{KILLED}/throughput.md",
          (Option("jobs", 32, "Jobs of a batch.", least=1),
           Option("rounds", 3, "Batches per size.", least=1))),
    Study("idle", f"{BATCH}.idle", "How long does the engine wait for a slow planner?",
          "three minutes", f"{KILLED}/idle.md",
          (Option("jobs", 96, "Jobs.", least=1),
           Option("delay", 3.0, "Seconds per plan.", float, least=0))),
    Study("resume", f"{BATCH}.resume", "How long do large manifests take, new and finished?",
          "five minutes", f"{KILLED}/resume.md",
          (Option("done", 100_000, "Finished jobs.", least=1),
           Option("lines", 1_000_000, "Lines of the largest manifest.", least=1))),
    Study("cluster", f"{BATCH}.cluster", "Does a batch survive when Ray runners are killed?",
          "five minutes", f"{KILLED}/cluster.md",
          (Option("jobs", 60, "Jobs.", least=1), Option("workers", 2, "Runners.", least=1),
           Option("kills", 4, "Kills.", least=0))),
)  # fmt: skip


def choose(name: str, names: tuple[str, ...]) -> str:
    """Return a hint for an unknown name: the one that was meant, or all of them."""
    return did_you_mean(name, names, f"choose one of {', '.join(names)}")
