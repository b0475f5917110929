"""The command line as a user meets it: real processes, files in and out, one line per error."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import EXAMPLES, hear_interrupts
from PIL import Image

from sow.models import BUNDLED

FACE = EXAMPLES / "drawn-beard.png"
PHOTO = EXAMPLES / "astronaut.jpg"
SHORT = [f"--set={change}" for change in ("steps=4", "t1=2", "t2=3", "cycles=1", "preserve=2")]
BASE = ("generate", "--model", "figures", "--set", "cycles=1", "--seed", "1")


def test_help_is_quick_and_import_loads_no_torch():
    def cpu_seconds(*command: str) -> float:
        """The least of three; of the processor: what else the machine does is not counted."""
        times = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", *command], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    # Half a second, or on a slow processor what a few imports of typer take.
    allowed = max(0.5, 5 * cpu_seconds("import typer"))
    assert cpu_seconds("from sow.cli.entry import run; run()", "--help") < allowed
    heavy = "import sys, sow, sow.cli.main; print([m for m in ('torch', 'diffusers', 'numpy', " \
            "'PIL', 'pydantic') if m in sys.modules])"  # fmt: skip
    assert subprocess.check_output([sys.executable, "-c", heavy], text=True).strip() == "[]"


def test_a_photograph_is_planted_written_and_repeated_from_its_recipe(
    run_sow, start_sow, tmp_path, astronaut
):
    """Real input end to end: the picture, its recipe, and the same bytes again."""
    astronaut.save(tmp_path / "me.png")
    made = start_sow("generate", "--model", "figures", "--face", "me.png", "--prompt",
                   "an old person", "--num", "2", "--seed", "7", "--out", "a.png", "--json",
                   "--planner", "offline", *SHORT,
                   env={"OPENAI_API_KEY": "sk-very-secret", "HOME": str(tmp_path)})  # fmt: skip
    assert made.returncode == 0, made.stderr
    data = json.loads(made.stdout)
    assert [entry["seed"] for entry in data] == [7, 8]
    assert data[0]["plan"]["setting"] == "attribute"
    assert "photograph planted in it looks odd" in made.stderr
    assert "model: figures" in made.stderr
    assert "does not know" not in made.stderr
    one = (tmp_path / "a-1.png").read_bytes()
    assert one != (tmp_path / "a-2.png").read_bytes()
    assert Image.open(tmp_path / "a-1.png").size == (128, 128)
    (tmp_path / "me.png").unlink()  # the recipe needs no other file
    again = start_sow("generate", "--recipe", "a-1.png", "--out", "again.png")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.png").read_bytes() == one
    for private in (b"sk-very-secret", str(tmp_path).encode(), b"/root", b"/home"):
        assert private not in one
    shown = run_sow("show", "a-1.png", "--json")
    assert json.loads(shown.stdout)["seed"] == 7
    assert "an old person" in run_sow("show", "a-1.png").stdout


def test_plan_prints_json_and_draws(run_sow, tmp_path):
    done = run_sow("plan", "--model", "figures", "--face", PHOTO, "--prompt", "a king")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["canvas"] == [128, 128]
    drawn = Image.open(tmp_path / "astronaut-plan.png").convert("RGB")
    x, y, _, _ = plan["box"]
    assert drawn.getpixel((x * 4 + 1, y * 4 + 30)) == (220, 60, 40)
    written = run_sow("plan", "--model", "figures", "--face", PHOTO, "--prompt", "a king",
                      "--out", "plan.json", "--no-draw")  # fmt: skip
    assert written.returncode == 0, written.stderr
    assert json.loads((tmp_path / "plan.json").read_text()) == plan
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "prompt": "a queen"}))
    made = run_sow(*BASE, "--face", PHOTO, "--plan", "plan.json", "--out", "a.png", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)[0]["plan"]["prompt"] == "a queen"
    assert json.loads(made.stdout)[0]["plan"]["box"] == plan["box"]
    moved = run_sow(*BASE, "--face", PHOTO, "--plan", "plan.json", "--box", "8,64,48,48", "--json",
                    "--out", "b.png")  # fmt: skip
    assert moved.returncode == 0, moved.stderr
    moved_plan = json.loads(moved.stdout)[0]["plan"]
    assert moved_plan["ellipse"][0] < 56
    assert moved_plan["related"][0]["box"][1] == 112


def test_a_plan_for_a_larger_model_is_scaled(run_sow, tmp_path):
    large = run_sow("plan", "--face", PHOTO, "--prompt", "a king", "--canvas", "640x512",
                    "--no-draw")  # fmt: skip
    (tmp_path / "plan.json").write_text(large.stdout)
    made = run_sow(*BASE, "--face", PHOTO, "--plan", "plan.json", "--out", "a.png", "--json")
    assert made.returncode == 0, made.stderr
    plan = json.loads(made.stdout)[0]["plan"]
    assert plan["canvas"] == [160, 128]
    assert abs(plan["box"][2] - json.loads(large.stdout)["box"][2] / 4) <= 8


def test_options_reach_the_plan_and_the_engine(run_sow, tmp_path):
    Image.new("L", (256, 256), 255).save(tmp_path / "mask.png")
    done = run_sow(*BASE, "--face", FACE, "--prompt", "a man", "--setting", "style", "--canvas",
                   "128x160", "--box", "40,40,56,56", "--related", "coat=10,100,100,60", "--mask",
                   "mask.png", "--set", "preserve=3", "--set", "eta=0.5", "--out", "a.png",
                   "--save-cycles", "cycles.png", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)[0]
    assert made["plan"]["box"] == [40, 40, 56, 56]
    assert made["plan"]["related"] == [{"label": "coat", "box": [10, 100, 100, 60]}]
    assert made["plan"]["ellipse"] is None
    assert made["plan"]["setting"] == "style"
    settings = made["settings"]
    assert (settings["cycles"], settings["preserve"], settings["eta"]) == (1, [3], 0.5)
    assert Image.open(tmp_path / "a.png").size == (128, 160)
    assert Image.open(tmp_path / "cycles.png").size == (128, 160)


def test_default_names_and_folders(run_sow, tmp_path):
    done = run_sow(*BASE, "--face", FACE, "--prompt", "a man, in ../snow!", "--out", "out/")
    assert done.returncode == 0, done.stderr
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["drawn-beard-a-man-in-snow-1.png"]
    again = run_sow(*BASE, "--face", FACE, "--prompt", "a man, in ../snow!", "--out", "out")
    assert again.returncode == 6
    assert "exists" in again.stderr


def test_originals_and_results_are_never_written_over(run_sow, tmp_path):
    """Links and detours lead to the same file; --force is for what was there, not for inputs."""
    (tmp_path / "sub").mkdir()
    face = tmp_path / "face.png"
    Image.open(FACE).save(face)
    Image.new("L", (256, 256), 255).save(tmp_path / "mask.png")
    (tmp_path / "link.png").symlink_to(face)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.png")}
    for words in (
        ("--out", "sub/../face.png"), ("--out", "link.png"), ("--mask", "mask.png", "--out",
        "mask.png"), ("--save-cycles", "face.png", "--out", "x.png"),
        ("--out", "z.png", "--num", "2", "--save-cycles", "z-1.png"),
    ):  # fmt: skip
        done = run_sow(*BASE, "--face", "face.png", "--prompt", "a man", *words, "--force")
        assert done.returncode == 2, done.stderr
    checkpoint = tmp_path / "model"
    shutil.copytree(BUNDLED["figures"], checkpoint)
    weights = "model/unet/diffusion_pytorch_model.safetensors"
    held = (checkpoint / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    for words in (("--model", "model", "--no-draw", "--out", weights),
                  ("--model", "model", "--draw", weights)):  # fmt: skip
        done = run_sow("plan", "--face", "face.png", "--prompt", "a man", *words, "--force")
        assert done.returncode == 2, done.stderr
    assert (checkpoint / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == held
    for words in (("--out", "link.png"), ("--draw", "sub/../face.png")):
        done = run_sow("plan", "--model", "figures", "--face", "face.png", "--prompt", "a man",
                       *words, "--force")  # fmt: skip
        assert done.returncode == 2, done.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.png")} == before


def test_what_the_user_typed_is_said_as_it_was_typed(run_sow):
    done = run_sow(*BASE, "--face", "mask=1.png", "--prompt", "a man")
    assert "no picture at 'mask=1.png'" in done.stderr


OK = ("--face", FACE, "--prompt", "a man", "--out", "x.png")
BAD = {
    "no picture": (("--prompt", "a man"), 2, "no picture"),
    "no prompt": (("--face", FACE), 2, "no prompt"),
    "blank prompt": (("--face", FACE, "--prompt", "  "), 2, "no prompt"),
    "no such matte": (
        ("--face", FACE, "--prompt", "x", "--matte", "scissors"),
        2,
        "choose one of auto",
    ),
    "two ways to cut out": (
        ("--face", FACE, "--prompt", "x", "--matte", "box", "--mask", "black.png"),
        2,
        "--matte",
    ),
    "likeness": (
        ("--face", FACE, "--prompt", "x", "--set", "likeness=much"),
        2,
        "a number from 0 to 1",
    ),
    "long prompt": (("--face", FACE, "--prompt", "a" * 5000), 2, "too long"),
    "onto itself": (
        ("--face", "black.png", "--prompt", "x", "--out", "black.png", "--force"),
        2,
        "would replace",
    ),
    "unknown option": ((*OK, "--colour", "red"), 2, "--colour"),
    "unknown setting": ((*OK, "--set", "cycels=3"), 2, "did you mean 'cycles'?"),
    "bad value": ((*OK, "--set", "t1=9"), 2, "t1 < t2"),
    "unknown preset": ((*OK, "--preset", "wild"), 2, "no preset 'wild'"),
    "unknown kind": ((*OK, "--setting", "wild"), 2, "choose one of normal"),
    "bad canvas": ((*OK, "--canvas", "big"), 2, "is not a canvas"),
    "bad shape of a canvas": ((*OK, "--canvas", "9:"), 2, "write a shape as 9:16"),
    "narrow canvas": ((*OK, "--canvas", "1:50"), 2, "too narrow"),
    "blank picture": (("--face", "black.png", "--prompt", "a man"), 3, "the picture is blank"),
    "not a png": ((*OK[:4], "--out", "x.jpg"), 2, "neither a .png file nor a folder"),
    "one name twice": ((*OK, "--save-cycles", "x.png"), 2, "written twice"),
    "plan and subject": (("--face", FACE, "--plan", "bad.json", "--subject", "cat"), 2, "making a"),
    "recipe and more": (("--recipe", "x.png", "--prompt", "a man"), 2, "leave out --prompt"),
    "missing picture": (("--face", "no.png", "--prompt", "a man"), 3, "no picture at 'no.png'"),
    "not a picture": (("--face", "text.png", "--prompt", "a man"), 3, "is not a picture"),
    "no such face": ((*OK, "--face-index", "4"), 3, "no face number 4"),
    "empty mask": ((*OK, "--mask", "black.png"), 3, "mask keeps nothing"),
    "mask of another shape": ((*OK, "--mask", "wide.png"), 3, "the mask is 64x20"),
    "no recipe": (("--recipe", "black.png"), 3, "has no recipe"),
    "box beside": ((*OK, "--box", "600,0,100,100"), 4, "is not inside the canvas"),
    "box far left": ((*OK, "--box=-300,0,100,100"), 4, "is not inside the canvas"),
    "long region": ((*OK, "--related", "x" * 300 + "=0,0,8,8"), 4, "too long"),
    "box of words": ((*OK, "--box", "left"), 4, "is not a box"),
    "region outside": ((*OK, "--related", "coat=600,0,50,5"), 4, "'coat'"),
    "bad plan": (("--face", FACE, "--plan", "bad.json"), 4, "invalid plan"),
    "missing plan": (("--face", FACE, "--plan", "no.json"), 4, "cannot read the plan"),
    "half a triple": ((*OK, "--triple", "a dog,left of"), 4, "not a triple"),
    "a contradiction": (
        (*OK, "--triple", "cat,left of,dog", "--triple", "cat,right of,dog"),
        4,
        "'cat left of dog'",
    ),
    "missing graph": ((*OK, "--graph", "no.json"), 4, "cannot read the graph"),
    "bad graph": ((*OK, "--graph", "bad.json"), 4, "not a legal scene graph"),
    "plan and triple": (
        ("--face", FACE, "--plan", "bad.json", "--triple", "a,on,b"),
        2,
        "making a",
    ),
    "no picture, but a mask": (
        ("--prompt", "x", "--triple", "a,on,b", "--mask", "black.png"),
        2,
        "needs a picture",
    ),
    "unknown model": ((*OK, "--model", "nonsense"), 5, "no model 'nonsense'"),
    "unreachable hub id": ((*OK, "--model", "some/one"), 5, "cannot be downloaded"),
    "missing folder": ((*OK, "--model", "./no/such"), 5, "no model './no/such'"),
    "a pickle": ((*OK, "--model", "x.ckpt"), 5, "is a pickle"),
    "no folder for it": ((*OK[:4], "--out", "no/x.png"), 6, "there is no folder 'no'"),
    "long name": ((*OK[:4], "--out", "x" * 300 + ".png"), 6, "cannot be written"),
    "exists": ((*OK[:4], "--out", "black.png"), 6, "'black.png' exists"),
    "no such device": ((*OK, "--device", "tpu"), 7, "no device 'tpu'"),
    "no such dtype": ((*OK, "--dtype", "int4"), 7, "no dtype 'int4'"),
}


IN_PROCESSES = (
    "no picture", "not a picture", "bad plan", "unreachable hub id", "exists", "no such device",
)  # fmt: skip
"""One for each exit code: these are run as a user runs them."""
NEEDS_A_PROCESS = ("unreachable hub id",)
"""That the hub is offline is read when its library is imported."""


@pytest.mark.parametrize("name", IN_PROCESSES)
def test_bad_input_ends_a_process_with_one_line_and_its_exit_code(start_sow, tmp_path, name):
    check_bad_input(start_sow, tmp_path, name)


@pytest.mark.parametrize("name", [name for name in BAD if name not in NEEDS_A_PROCESS])
def test_bad_input_gets_one_line_and_its_exit_code(run_sow, tmp_path, name):
    check_bad_input(run_sow, tmp_path, name)


def check_bad_input(run, tmp_path, name):
    words, code, says = BAD[name]
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "bad.json").write_text('{"canvas": [128, 128]}')
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    Image.new("L", (64, 20), 255).save(tmp_path / "wide.png")
    before = sorted(tmp_path.iterdir())
    model = () if "--model" in words or "--recipe" in words else ("--model", "figures")
    done = run("generate", *words, *model, env={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == code, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("sow: ")
    assert says in line
    assert "Traceback" not in done.stderr
    assert len([text for text in done.stderr.splitlines() if text.startswith("sow: ")]) == 1
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_words_that_a_model_never_learnt_are_said(run_sow):
    """`figures` lists its words; what it does not know is not passed over in silence."""
    done = run_sow(*BASE, "--face", FACE, "--prompt", "a Wizard with a red hat, juggling", "--json")
    assert done.returncode == 0, done.stderr
    note = "figures does not know wizard (man is used instead), juggling (left out)"
    assert f"note: {note}" in done.stderr
    made = json.loads(done.stdout)[0]
    assert note in made["notes"]
    assert made["plan"]["prompt"] == "a man with a red hat"


def test_a_recipe_does_not_choose_what_is_downloaded_or_read(run_sow, tmp_path):
    """Nor does it write to the terminal as it likes."""
    from sow.pictures.recipe import read_recipe, save_png

    assert run_sow(*BASE, "--face", FACE, "--prompt", "a man", "--out", "a.png").returncode == 0
    recipe, condition = read_recipe(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    for number, model in enumerate(("some/one", "/etc", "./a.safetensors")):
        changed = recipe.model_copy(update={"model": model, "revision": "\x1b[2J\x07"})
        save_png(image, tmp_path / f"{number}.png", changed, condition)
        done = run_sow("generate", "--recipe", f"{number}.png", "--out", "x.png")
        assert done.returncode == 5
        assert "to use it, give --model" in done.stderr
        shown = run_sow("show", f"{number}.png")
        assert "\x1b[2J" not in shown.stdout + done.stderr


def test_an_interrupt_says_so_and_leaves_nothing(tmp_path):
    words = [*map(str, BASE[:3]), "--face", str(FACE), "--prompt", "a man", "--out", "x.png",
             "--set", "cycles=1000"]  # fmt: skip
    code = [sys.executable, "-c", "from sow.cli.entry import run; run()", *words]
    process = subprocess.Popen(
        code, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("model:"):
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(30) == 130
    assert rest.strip() == "sow: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_doctor_never_shows_a_key(run_sow):
    done = run_sow("doctor", env={"OPENAI_API_KEY": "sk-very-secret"})
    assert done.returncode == 0, done.stderr
    assert "sk-very-secret" not in done.stdout + done.stderr
    assert "OPENAI_API_KEY set" in done.stdout
    assert "GEMINI_API_KEY not set" in done.stdout
    other = run_sow("doctor", "--json", env={"GOOGLE_API_KEY": "AIza-very-secret"})
    assert json.loads(other.stdout)["keys"]["GOOGLE_API_KEY"] == "set"
    assert json.loads(other.stdout)["planner"] == "gemini"
    assert "AIza-very-secret" not in other.stdout + other.stderr
