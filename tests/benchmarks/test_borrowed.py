"""Methods with weights of others: real loading, from tiny checkpoints of random weights."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionInpaintPipeline, UNet2DConditionModel
from helpers import noise_picture, plan
from PIL import Image
from safetensors.torch import save_file

from sow.benchmarks.checkpoints import TINY
from sow.benchmarks.tv2i.methods import diffusers_method, method
from sow.benchmarks.tv2i.methods.controlnet_canny import edges
from sow.benchmarks.tv2i.methods.ip_adapter_faceid import IPAdapterFaceID
from sow.benchmarks.tv2i.methods.sd2_inpainting import to_paint
from sow.errors import ModelError
from sow.pictures.condition import Condition
from sow.service.pipeline_calls import EngineTask, make_batch
from sow.service.results import GenerationSpec
from sow.service.service import Service
from sow.settings.settings import Settings

WIDTH = TINY["unet"]["cross_attention_dim"]


@pytest.fixture(scope="module")
def service(tiny_folder):
    made = Service(str(tiny_folder), device="cpu", dtype="float32")
    made.pipe.set_progress_bar_config(disable=True)
    return made


def work_of(box=(16, 8, 32, 32), seed: int = 1) -> GenerationSpec:
    the_plan = plan(box).aligned(8)
    condition = Condition.prepare(noise_picture(seed), the_plan)
    return GenerationSpec(condition, the_plan, Settings.preset("normal"), "a", "0" * 64)


def drawn(service, how):
    """Two pictures in one call."""
    tasks = [EngineTask(work_of(), 1), EngineTask(work_of((8, 0, 40, 48), 2), 2)]
    return make_batch(service.pipe, service.model, tasks, 2, how)


def weights_of(unet) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in unet.state_dict().values()]


@pytest.fixture(scope="module")
def inpainting(tiny, tmp_path_factory):
    """The layout of stable-diffusion-2-inpainting."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("inpainting") / "sd2-inpainting"
    parts = {**tiny.components, "unet": UNet2DConditionModel(**TINY["unet"], in_channels=9)}
    StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def controlnet(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("controlnet") / "canny"
    unet = {name: TINY["unet"][name] for name in
            ("block_out_channels", "layers_per_block", "cross_attention_dim",
             "attention_head_dim", "norm_num_groups", "down_block_types")}  # fmt: skip
    network = ControlNetModel(**unet, conditioning_embedding_out_channels=(4, 8, 8, 16))
    for parameter in network.parameters():  # else what it adds begins at nothing
        torch.nn.init.normal_(parameter, std=0.1)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tiny, tmp_path_factory):
    """The tensors of IP-Adapter-FaceID, without its LoRA, by the names its authors gave them."""
    torch.manual_seed(0)
    tensors = {
        "image_proj.proj.0.weight": torch.randn(1024, 512) / 20,
        "image_proj.proj.0.bias": torch.zeros(1024),
        "image_proj.proj.2.weight": torch.randn(4 * WIDTH, 1024) / 20,
        "image_proj.proj.2.bias": torch.zeros(4 * WIDTH),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }
    attention = [name for name in tiny.unet.attn_processors if ".attn2." in name]
    for number, name in enumerate(attention):
        hidden = tiny.unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
        for part in ("k", "v"):
            key = f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight"
            tensors[key] = torch.randn(hidden, WIDTH) / 5
    folder = tmp_path_factory.mktemp("adapter") / "faceid"
    folder.mkdir()
    save_file(tensors, folder / "faceid.safetensors")
    return folder


def test_inpainting_by_its_own_checkpoint(service, inpainting):
    how = method("sd2-inpainting", weights=str(inpainting), steps=3)
    pictures = drawn(service, how)
    assert [p.image.size for p in pictures] == [(64, 64)] * 2
    assert {(p.calls, p.samples) for p in pictures} == {(3, 6)}
    # No path of this machine goes into a picture.
    told = "sd2-inpainting(weights=sd2-inpainting, revision=None, steps=3)"
    assert pictures[0].recipe.method == told
    again = drawn(service, how)
    assert [p.image.tobytes() for p in again] == [p.image.tobytes() for p in pictures]


def test_what_is_painted_is_everything_but_the_condition():
    the_plan = plan().aligned(8)
    mask = Image.new("L", (48, 40))
    mask.paste(255, (0, 0, 24, 40))
    spec = GenerationSpec(Condition.prepare(noise_picture(1), the_plan, mask), the_plan,
                Settings.preset("normal"), "a", "")  # fmt: skip
    levels = np.asarray(to_paint(spec))
    assert (levels[8:40, 16:31] < 5).all()
    assert (levels[8:40, 33:48] > 250).all()
    assert levels[:8].min() == levels[40:].min() == levels[:, :16].min() == 255


def test_a_text_to_image_model_is_no_inpainting_model(service, tiny_folder):
    with pytest.raises(ModelError, match="4 input channels, not 9"):
        drawn(service, method("sd2-inpainting", weights=str(tiny_folder)))


def test_weights_that_are_only_pickles_are_refused_in_a_line(service, inpainting, controlnet,
                                                             tmp_path):  # fmt: skip
    for folder, part, name in ((inpainting, "unet", "sd2-inpainting"),
                               (controlnet, "", "controlnet-canny")):  # fmt: skip
        spoilt = tmp_path / name
        shutil.copytree(folder, spoilt)
        (stored,) = (spoilt / part).glob("*.safetensors")
        stored.rename(stored.with_suffix(".bin"))
        with pytest.raises(ModelError, match="only as a pickle") as refused:
            drawn(service, method(name, weights=str(spoilt)))
        assert "\n" not in str(refused.value)


def test_controlnet_beside_the_frozen_model(service, controlnet):
    before = weights_of(service.pipe.unet)
    how = method("controlnet-canny", weights=str(controlnet), steps=3)
    pictures = drawn(service, how)
    assert {(p.calls, p.samples) for p in pictures} == {(3, 6)}
    other = [EngineTask(work_of(seed=9), 1), EngineTask(work_of((8, 0, 40, 48), 2), 2)]
    changed, same = make_batch(service.pipe, service.model, other, 2, how)
    assert changed.image.tobytes() != pictures[0].image.tobytes()  # by its edges alone
    assert same.image.tobytes() == pictures[1].image.tobytes()
    assert how.pipeline(service.pipe).unet is service.pipe.unet
    assert all(map(torch.equal, before, weights_of(service.pipe.unet)))


def test_edges_are_where_the_picture_changes():
    picture = Image.new("RGB", (32, 32))
    picture.paste((255, 255, 255), (16, 0, 32, 32))
    found = np.asarray(edges(picture))
    assert found.shape == (32, 32, 3)
    assert found[:, 14:18].max() == 255
    assert found[:, :13].max() == found[:, 19:].max() == 0


def test_a_controlnet_for_another_model_is_refused(service, tmp_path):
    unet = {**{k: v for k, v in TINY["unet"].items() if k not in ("sample_size", "up_block_types")},
            "cross_attention_dim": 64}  # fmt: skip
    ControlNetModel(**unet).save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match="cross_attention_dim is 64, not 32"):
        drawn(service, method("controlnet-canny", weights=str(tmp_path / "other")))


class Known(IPAdapterFaceID):
    """Embeddings without insightface, which has to be fetched: of the picture's mean colours."""

    def find_faces_by(self):
        return None

    def identity(self, picture):
        mean = np.asarray(picture, np.float32).mean((0, 1)) / 255
        return torch.nn.functional.normalize(torch.from_numpy(np.resize(mean, 512)), dim=0)


def test_the_adapter_of_faces_changes_a_copy_of_the_frozen_model(service, adapter):
    before, processors = weights_of(service.pipe.unet), service.pipe.unet.attn_processors
    how = Known(str(adapter), file="faceid.safetensors", steps=3)
    pictures = drawn(service, how)
    assert {(p.calls, p.samples) for p in pictures} == {(6, 6)}  # one at a time
    assert all(map(torch.equal, before, weights_of(service.pipe.unet)))
    assert service.pipe.unet.attn_processors == processors
    red = Condition(Image.new("RGB", (32, 32), (250, 0, 0)), work_of().condition.mask)
    spec = work_of()
    other = [EngineTask(GenerationSpec(red, spec.plan, spec.settings, "a", ""), 1),
             EngineTask(work_of((8, 0, 40, 48), 2), 2)]  # fmt: skip
    changed, same = make_batch(service.pipe, service.model, other, 2, how)
    assert changed.image.tobytes() != pictures[0].image.tobytes()
    assert same.image.tobytes() == pictures[1].image.tobytes()


def test_adapters_that_cannot_be_read_say_why(service, adapter, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors")
    wide = {"image_proj.norm.weight": torch.ones(99), "image_proj.proj.0.weight": torch.ones(1)}
    save_file(wide, tmp_path / "c.safetensors")
    for file, says in (("a.safetensors", "only as a pickle"), ("a.bin", "only as a pickle"),
                       ("b.safetensors", "not an IP-Adapter-FaceID"),
                       ("c.safetensors", "width 99"), ("d.safetensors", "has no d")):  # fmt: skip
        with pytest.raises(ModelError, match=says):
            drawn(service, method("ip-adapter-faceid", weights=str(tmp_path), file=file))
    with pytest.raises(ModelError, match="insightface"):
        drawn(service, method("ip-adapter-faceid", weights=str(adapter),
                              file="faceid.safetensors", faces=str(tmp_path)))  # fmt: skip


def test_weights_that_are_nowhere_are_said_so_in_a_line(service, monkeypatch):
    monkeypatch.setattr(diffusers_method, "hub_problem", lambda: "no network")
    with pytest.raises(ModelError, match="cannot be fetched from the hub") as refused:
        drawn(service, method("sd2-inpainting", weights="nobody/nothing"))
    assert "\n" not in str(refused.value)
