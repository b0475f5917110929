"""Every study that there is: what it asks, what it takes, where its table is, its options.

A study is a module with `study(desk, **options)`. Nothing of it is imported here, so that a list of
them is there at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from sow.errors import UsageError

FIGURES, JUDGE = "sow.benchmarks.figures.studies", "sow.benchmarks.figures.judge"
BATCH, RESULTS = "sow.benchmarks.batch", "benchmarks/figures/studies/results"
JUDGED, KILLED = "benchmarks/figures/judge/results", "benchmarks/batch/results"


@dataclass(frozen=True)
class Option:
    """What can be said of a study.

    Attributes:
        default: None for a file that need not be.
        kind: int, float, str, bool or Path.
        least: the smallest number.
        choices: all that it may be.
        argument: it stands behind the study's name, without a name of its own.
    """

    name: str
    default: Any
    help: str
    kind: type = int
    least: float | None = None
    choices: tuple[str, ...] = ()
    argument: bool = False

    def check(self, value: Any) -> None:
        """Whether it may be that.

        Raises:
            UsageError: if not.
        """
        if self.choices and value not in self.choices:
            raise UsageError(f"no {self.name} {value!r}", near(value, self.choices))


@dataclass(frozen=True)
class Study:
    """One of them.

    Attributes:
        module: where it is.
        asks: its question, in a line.
        takes: how long that takes with its defaults, on one core.
        table: what was found, from the root of the repository on.
    """

    name: str
    module: str
    asks: str
    takes: str
    table: str
    options: tuple[Option, ...] = ()

    def check(self, given: dict[str, Any]) -> None:
        """Whether these options make sense, before anything heavy is loaded.

        Raises:
            UsageError: if one does not.
        """
        for option in self.options:
            option.check(given[option.name])

    def run(self, desk: Any, given: dict[str, Any]) -> None:
        """Carries it out.

        Raises:
            SowError: for an option that makes no sense, a package that is not installed, or a file
                that cannot be written.
        """
        self.check(given)
        try:
            import_module(self.module).study(desk, **given)
        except ModuleNotFoundError as error:
            if (error.name or "sow").split(".")[0] == "sow":
                raise
            raise UsageError(
                f"{self.name} needs {error.name}", "pip install 'sow[benchmarks]'"
            ) from None


def count(default: int, said: str = "Pictures a row.") -> Option:
    """How many of something."""
    return Option("count", default, said, least=1)


def table(*choices: str) -> Option:
    """Which of its tables."""
    return Option("table", None, f"Which table: {', '.join(choices)}.", str, choices=choices,
                  argument=True)  # fmt: skip


TUNING = Option("tuning", False, "Other people or captions, to choose by.", bool)
WORKERS = Option("workers", 2, "Processes, a thread each.", least=1)
ANOTHER_JUDGE = Option("judge", None, "A folder of another judge's weights.", Path)
STUDIES = (
    Study("recognisable", f"{FIGURES}.recognisable",
          "Whether what is planted stays itself, and what of today's choices does it.",
          "40 minutes (fresh)", f"{RESULTS}/recognisable-fresh-normal.md",
          (table("choices", "pareto", "guided", "fresh", "limit"),
           Option("setting", "all", "normal, attribute, style or all.", str,
                  choices=("normal", "attribute", "style", "all")),
           Option("count", 0, "Pictures a row; 0 is what the table was made with.", least=0))),
    Study("modulation", f"{FIGURES}.modulation",
          "What every part of attention modulation does, and the cycles, beside COW.",
          "an hour and a half (ablation)", f"{RESULTS}/modulation-ablation.md",
          (table("tuning", "fresh", "ablation", "cycles", "sheet"), count(200))),
    Study("relations", f"{FIGURES}.relations",
          "Whether pictures respect relations, with layout and without.",
          "two and a half hours", f"{RESULTS}/relations.md",
          (count(200, "Captions a class."),
           Option("first", 0, "The number of the first caption.", least=0), TUNING, WORKERS)),
    Study("relations-planted", f"{FIGURES}.relations_planted",
          "Whether relations to a planted face hold, and what that costs the face.",
          "70 minutes", f"{RESULTS}/relations-planted.md",
          (count(200, "Faces a class."), TUNING, WORKERS)),
    Study("planning", f"{FIGURES}.planning",
          "What planning is worth: a perfect model against rules and against chance.",
          "20 minutes", f"{RESULTS}/planning.md", (count(200),)),
    Study("refining", f"{FIGURES}.refining",
          "Whether it helps to change the layout by where things form.",
          "a quarter of an hour", f"{RESULTS}/refining.md", (count(24, "Captions a class."),)),
    Study("fewer", f"{FIGURES}.fewer",
          "What fewer UNet samples a picture cost, all in all and one by one.",
          "half an hour (fresh)", f"{RESULTS}/fewer.md",
          (table("fresh", "again", "leads"),
           Option("kind", "all", "figures, guided or all.", str,
                  choices=("figures", "guided", "all")))),
    Study("finding", f"{FIGURES}.finding",
          "How well faces are found, and a lost one noticed.",
          "ten minutes", f"{RESULTS}/finding.md", (count(200, "Faces."),)),
    Study("mattes", f"{FIGURES}.mattes", "How well heads are cut out.",
          "a minute", f"{RESULTS}/mattes.md", (count(200, "People."),)),
    Study("seeing", f"{FIGURES}.seeing",
          "How well graphs are read from pictures, and relations verified.",
          "ten minutes", f"{RESULTS}/seeing.md", (count(200, "Drawings."), TUNING)),
    Study("model", f"{FIGURES}.evaluate",
          "What the figures model can do: text alone, inversion, cycles, settings.",
          "half an hour", f"{RESULTS}/model.md",
          (count(200), Option("captions", 500, "Captions for text alone, 500 at most.", least=1),
           Option("drawings", 64, "Drawings to invert.", least=1),
           Option("model", "figures", "Another model of the drawn world.", str), ANOTHER_JUDGE,
           Option("choose", None, "Only choose captions, none of those in this JSON file.", Path))),
    Study("contact-sheet", f"{FIGURES}.contact_sheet",
          "Whether a body grows under the planted face: three people, four prompts, two boxes.",
          "a minute", f"{RESULTS}/contact-sheet.png",
          (Option("examples", Path("examples"), "The folder of the faces.", Path),)),
    Study("things-sheet", f"{FIGURES}.things_sheet",
          "What becomes of photographs of other things than faces.",
          "a minute", f"{RESULTS}/things.png", (count(4, "Photographs."),)),
    Study("proxies", f"{FIGURES}.proxies",
          "How well what is measured without eyes agrees with what is known.",
          "six minutes", "benchmarks/tv2i/metrics/results/proxies.md",
          (count(100, "People."), TUNING)),
    Study("judge", f"{JUDGE}.accuracy", "How far the judge can be trusted.",
          "ten minutes", f"{JUDGED}/judge.md", (ANOTHER_JUDGE, count(1200, "Drawings."))),
    Study("judge-keeping", f"{JUDGE}.accuracy_keeping",
          "The same about what became of a planted head.",
          "ten minutes", f"{JUDGED}/keeping.md", (count(300, "People."),)),
    Study("judge-colour", f"{FIGURES}.judge_colour",
          "The same about the colour of clothes and the variety of pictures.",
          "half an hour", f"{JUDGED}/colour.md",
          (count(600, "Drawings."), Option("pairs", 40, "Pairs to grow.", least=3))),
    Study("eye-sheet", f"{FIGURES}.eye_sheet",
          "Pictures with the judge's verdicts under them, for a person to check.",
          "two minutes", f"{JUDGED}/judge-by-eye.png", (count(100, "Pictures."),)),
    Study("keeping-sheet", f"{FIGURES}.keeping_sheet",
          "The same with what became of each head.",
          "two minutes", f"{JUDGED}/keeping-by-eye.png", (count(100, "Pictures."),)),
    Study("survival", f"{BATCH}.survival",
          "What is left of a batch that is killed, again and again.",
          "a quarter of an hour", f"{KILLED}/survival.md",
          (Option("jobs", 200, "Jobs.", least=1), Option("kills", 30, "Kills.", least=1),
           Option("size", 4, "Pictures in a call.", least=1),
           Option("seed", 1, "Of the moments.", least=0))),
    Study("throughput", f"{BATCH}.throughput", "Pictures a second by the size of batches.",
          "six minutes", f"{KILLED}/throughput.md",
          (Option("jobs", 32, "Jobs of a batch.", least=1),
           Option("rounds", 3, "Batches of every size.", least=1))),
    Study("idle", f"{BATCH}.idle", "How long the engine waits for a slow planner.",
          "three minutes", f"{KILLED}/idle.md",
          (Option("jobs", 96, "Jobs.", least=1),
           Option("delay", 3.0, "Seconds of every plan.", float, least=0))),
    Study("resume", f"{BATCH}.resume", "What large manifests take, new and all done.",
          "five minutes", f"{KILLED}/resume.md",
          (Option("done", 100_000, "Jobs that are done.", least=1),
           Option("lines", 1_000_000, "Lines of the largest manifest.", least=1))),
    Study("cluster", f"{BATCH}.cluster", "What is left where runners of Ray are killed.",
          "five minutes", f"{KILLED}/cluster.md",
          (Option("jobs", 60, "Jobs.", least=1), Option("workers", 2, "Runners.", least=1),
           Option("kills", 4, "Kills.", least=0))),
)  # fmt: skip


def near(name: str, names: tuple[str, ...]) -> str:
    """What to do about a name that is none of these."""
    close = get_close_matches(name, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(names)}"
