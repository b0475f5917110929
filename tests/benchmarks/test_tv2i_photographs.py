"""Metrics of photographs: a real face, FaceNet with random weights from a file, a tiny CLIP."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image
from safetensors.torch import save_file

from sow.benchmarks.tv2i.metrics import convert
from sow.benchmarks.tv2i.metrics.arcface import ArcFace
from sow.benchmarks.tv2i.metrics.base import Case, measure
from sow.benchmarks.tv2i.metrics.ceilings import of_photographs
from sow.benchmarks.tv2i.metrics.clip import ClipScore
from sow.benchmarks.tv2i.metrics.faces import Faces
from sow.benchmarks.tv2i.metrics.identity import FaceNet, IdDistance
from sow.benchmarks.tv2i.metrics.suites import Weights, figures_metrics, photograph_metrics
from sow.benchmarks.tv2i.pairs import Pair
from sow.errors import ModelError
from sow.pictures.condition import Condition
from sow.plan.box import Box
from sow.plan.plan import Plan

PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "astronaut.jpg"


@pytest.fixture(scope="module")
def face():
    return Image.open(PHOTOGRAPH).convert("RGB").resize((512, 512))


@pytest.fixture(scope="module")
def facenet_file(tmp_path_factory):
    """Random weights, as the converter makes them of a file of facenet-pytorch's."""
    folder = tmp_path_factory.mktemp("facenet")
    torch.manual_seed(3)
    network = InceptionResnetV1(pretrained=None)
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("tracked")}
    torch.save({**state, "logits.weight": torch.zeros(8631, 512)}, folder / "vggface2.pt")
    out = folder / "facenet.safetensors"
    assert convert.main(["facenet", str(folder / "vggface2.pt"), str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def metric(facenet_file):
    return IdDistance(Faces(), FaceNet.load(facenet_file))


def case(result: Image.Image, image: Path = PHOTOGRAPH, plan: Plan | None = None) -> Case:
    pair = Pair("one", "normal", "a person in the forest", image, None, 1, 1)
    box = Box(x=160, y=32, width=192, height=192)
    plan = plan or Plan(prompt="a person in the forest", box=box)
    whole = Image.new("RGB", (box.width, box.height), (120, 90, 80))
    return Case(pair, result, Condition(whole, Image.new("L", whole.size, 255)), plan)


def test_id_distance_is_facenet_pytorchs(metric, facenet_file, face):
    """Theirs: MTCNN's crop of the largest face through the same network."""
    small = face.resize((300, 300))
    network = InceptionResnetV1(pretrained=None).eval()
    network.load_state_dict(FaceNet.load(facenet_file).network.state_dict())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs = [network(MTCNN()(image)[None])[0]
                  for image in (small, Image.open(PHOTOGRAPH).convert("RGB"))]  # fmt: skip
    expected = float((theirs[0] - theirs[1]).norm())
    assert expected > 1e-4
    assert metric(case(small)).value == pytest.approx(expected, abs=1e-5)


def test_the_same_picture_is_at_distance_0(metric):
    assert metric(case(Image.open(PHOTOGRAPH).convert("RGB"))).value == 0


def test_the_distance_is_euclidean_between_vectors_of_length_1(metric, face):
    one, other = face, face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    faces = metric.faces
    vectors = [metric.facenet.embed(image, faces.find(image)[0]) for image in (one, other)]
    assert [float(np.linalg.norm(v)) for v in vectors] == pytest.approx([1, 1], abs=1e-5)
    expected = np.sqrt(((vectors[0] - vectors[1]) ** 2).sum())
    assert metric.between(one, other) == pytest.approx(float(expected), abs=1e-6)
    assert metric.ceiling([(PHOTOGRAPH, PHOTOGRAPH)])[0].value == 0
    assert metric.ceiling([(PHOTOGRAPH, Path("none.png"))])[0].missing


def test_the_ceiling_is_of_what_can_be_measured(metric):
    made = of_photographs([metric], [(PHOTOGRAPH, PHOTOGRAPH), (PHOTOGRAPH, Path("none.png"))])
    assert (made.scores, made.missing) == ((0.0,), 1)
    assert of_photographs([metric], []) is None
    assert of_photographs([], [(PHOTOGRAPH, PHOTOGRAPH)]) is None


def test_of_two_faces_that_on_the_planted_box_is_read(metric, face):
    """A smaller copy stands on the box, the larger one beside it."""
    both = Image.new("RGB", (900, 512), (90, 90, 90))
    both.paste(face, (388, 0))
    both.paste(face.resize((256, 256)), (20, 100))
    box = Box(x=20, y=100, width=256, height=256)
    plan = Plan(canvas=both.size, prompt="a person", box=box)
    one = metric.faces.of_result(case(both, plan=plan))
    assert one.corners[2] < 388
    assert len(metric.faces.find(both)) == 2
    assert metric.faces.find(both)[0].corners[0] > 388


def test_pictures_without_a_face_or_too_small_never_break_a_batch(metric, facenet_file, face):
    """facenet-pytorch's issues 176 and 224: small pictures, and lists of pictures unlike."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (80, 80, 3), np.uint8))
    odd = [Image.new("RGB", size) for size in ((1, 1), (12, 12), (19, 400), (400, 8), (64, 64))]
    cases = [case(image) for image in (*odd, noise, face)]
    found = measure(photograph_metrics(Weights(facenet=facenet_file)), cases)
    for one in found[:-1]:
        assert one["face_found"].value == one["persons"].value == one["one_person"].value == 0
        assert one["id_distance"].missing == "no face found in the result"
    assert found[-1]["face_found"].value == found[-1]["one_person"].value == 1
    assert found[-1]["id_distance"].value is not None


def test_a_condition_without_a_face_or_a_file_is_said(metric, face, tmp_path):
    wall = tmp_path / "wall.png"
    Image.new("RGB", (200, 200), (200, 190, 180)).save(wall)
    assert metric(case(face, wall)).missing == "no face found in the condition"
    assert metric(case(face, tmp_path / "none.png")).missing.startswith("no condition: ")


def test_a_face_at_the_border_is_read(metric, face):
    """Boxes of MTCNN stick out of pictures."""
    tight = face.crop((150, 0, 350, 230))
    assert metric(case(tight)).value is not None


def test_two_people_are_two(face):
    both = Image.new("RGB", (1024, 512))
    both.paste(face, (0, 0))
    both.paste(face, (512, 0))
    (found,) = measure(photograph_metrics(Weights()), [case(both)])
    assert (found["persons"].value, found["one_person"].value) == (2, 0)


def test_wrong_weights_are_said(tmp_path, facenet_file):
    file = tmp_path / "facenet.safetensors"
    save_file({"conv2d_1a.conv.weight": torch.zeros(1)}, file)
    with pytest.raises(ModelError, match=r"not weights of facenet: \d+ tensors are missing"):
        FaceNet.load(file)
    with pytest.raises(ModelError, match="convert it"):
        FaceNet.load(facenet_file.with_name("vggface2.pt"))


def test_every_metric_says_what_it_is_and_weights_that_are_missing_are_said(facenet_file):
    for metrics in (photograph_metrics(Weights(facenet=facenet_file)), figures_metrics()):
        names = [metric.name for metric in metrics]
        assert len(names) == len(set(names))
        for metric in metrics:
            assert metric.note
            assert metric.label
            assert metric.better in ("lower", "higher", "")
            assert metric.__doc__
            assert not metric.rate or metric.unit == "%"
    lines = Weights(facenet=facenet_file).missing()
    assert [line.split(":")[0] for line in lines] == ["no LPIPS", "no CLIP score", "no ArcFace"]


def test_arcface_says_what_it_needs(tmp_path):
    with pytest.raises(ModelError, match=r"no \.onnx files of insightface"):
        ArcFace.load(tmp_path)


def test_arcface_is_the_cosine_of_the_nearest_face(face):
    """insightface's answers, as its `FaceAnalysis.get` has them."""

    def seen(corners, vector):
        vector = np.asarray(vector, np.float32)
        return SimpleNamespace(bbox=np.array(corners, np.float32), det_score=0.9,
                               normed_embedding=vector / np.linalg.norm(vector))  # fmt: skip

    class Reader:
        def get(self, bgr):
            if bgr.shape[0] != 512:
                return [seen((10, 10, 90, 90), (1, 0))]
            return [seen((0, 300, 300, 512), (0, 1)), seen((170, 40, 340, 210), (3, 4))]

    wide = case(face)
    object.__setattr__(wide, "original", face.resize((400, 400)))
    assert ArcFace(Reader())(wide).value == pytest.approx(0.6)
    nobody = SimpleNamespace(get=lambda bgr: [])
    assert ArcFace(nobody)(case(face)).missing == "no face found in the result"


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A CLIP of 1 layer with random weights, and a tokenizer of a few words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2}  # fmt: skip
    words = {"?": 0, "a": 1, "person": 2, "in": 3, "the": 4, "forest": 5, "sea": 6, "end": 7}
    end = words["end"]
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(
        text_config={**small, "vocab_size": 8, "max_position_embeddings": 8, "eos_token_id": end,
                     "bos_token_id": 0, "pad_token_id": end},
        vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=8,
    )).save_pretrained(folder)  # fmt: skip
    raw = Tokenizer(WordLevel(words, unk_token="?"))
    raw.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="?", pad_token="end", eos_token="end", model_max_length=8
    )
    side = {"height": 32, "width": 32}
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side)
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_clip_score_is_100_times_the_cosine(clip_folder, face):
    from transformers import CLIPModel, CLIPProcessor

    metric = ClipScore.load(clip_folder)
    model = CLIPModel.from_pretrained(clip_folder).eval()
    inputs = CLIPProcessor.from_pretrained(clip_folder)(
        text=["a person in the forest"], images=[face], return_tensors="pt"
    )
    with torch.no_grad():
        picture = model.visual_projection(model.vision_model(inputs.pixel_values).pooler_output)
        text = model.text_projection(model.text_model(inputs.input_ids).pooler_output)
    cosine = float((picture @ text.T) / picture.norm() / text.norm())
    assert metric(case(face)).value == pytest.approx(max(0, 100 * cosine), abs=1e-3)


def test_clip_takes_long_prompts_and_refuses_folders_that_are_none(clip_folder, face, tmp_path):
    long = case(face)
    object.__setattr__(long.pair, "prompt", "a person in the forest " * 40)
    assert ClipScore.load(clip_folder)(long).value is not None
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        ClipScore.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        ClipScore.load(tmp_path)
