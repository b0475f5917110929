"""LoRAs and embeddings (textual inversions): read once, checked, and known by their hash."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from sow.checkpoints.families import BASES, IN_ONE_FILE, KNOWN, SD, SDXL
from sow.checkpoints.kinds import TITLES, FileKind, recognise
from sow.checkpoints.original_names import diffusers_name
from sow.checkpoints.single_file import read_header
from sow.checkpoints.trust import PICKLES
from sow.checkpoints.weights import check_dtypes
from sow.errors import ModelError
from sow.utils.files import read_regular

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = {"lora": 2**30, "embedding": 2**24}
"""Of a file. A LoRA of rank 128 for Stable Diffusion has 150 MB, an embedding 100 kB."""
LAYER = re.compile(
    r"(?P<layer>.+?)(?:[._]lora(?:_linear_layer)?[._](?=down|up|A|B)|\.(?=alpha))"
    r"(?P<role>down|up|A|B|alpha)(?:\.weight)?"
)
ROLES = {"down": "down", "A": "down", "up": "up", "B": "up", "alpha": "alpha"}
"""The two factors of a layer's change, as kohya's scripts and as peft call them."""
PARTS = {
    "lora_unet_": "unet", "unet_": "unet", "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2",
    "text_encoder_2_": "text_encoder_2", "text_encoder_": "text_encoder",
    "transformer_": "transformer",
}  # fmt: skip
"""How the names of layers begin, and the part of the pipeline they are in."""
PAIR = ("clip_l", "clip_g")
"""The tensors of an embedding for SDXL: for its first text encoder, and its second."""
TOKEN = re.compile(r"[^\s,]{2,80}")


@dataclass(eq=False)
class Layers:
    """The tensors of a LoRA.

    Attributes:
        down, up: by the name of the layer; `[rank, inputs, …]` and `[outputs, rank, …]`.
        scale: by the name of the layer: what the product is multiplied by; 1 if it is not there.
    """

    down: dict[str, Tensor]
    up: dict[str, Tensor]
    scale: dict[str, float]


@dataclass(frozen=True)
class Lora:
    """A LoRA that was read.

    Attributes:
        name: of its file.
        sha256: of the file's bytes.
        weight: how much of it is added; 0 changes nothing.
        base: the family of models it is for; empty if that is unknown.
    """

    name: str
    sha256: str
    weight: float
    base: str = field(compare=False)
    layers: Layers = field(compare=False, repr=False)


@dataclass(frozen=True)
class Embedding:
    """An embedding that was read.

    Attributes:
        name: of its file.
        sha256: of the file's bytes.
        token: the word of a prompt that stands for it.
        base: the family of models it is for; empty if that is unknown.
        vectors: `[n, width]`, for n tokens.
        second: the same for SDXL's second text encoder, of another width; None for other families.
    """

    name: str
    sha256: str
    token: str
    base: str = field(compare=False)
    vectors: Tensor = field(compare=False, repr=False)
    second: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def pattern(self) -> re.Pattern[str]:
        """What finds its word in a prompt: in any case, and not inside of other words."""
        edges = [r"\b" if self.token[end].isalnum() else "" for end in (0, -1)]
        return re.compile(edges[0] + re.escape(self.token) + edges[1], re.IGNORECASE)

    @property
    def tokens(self) -> list[str]:
        """The tokens of its vectors, as diffusers names them, in lower case: `word`, `word_1` …"""
        word = self.token.lower()
        return [word, *(f"{word}_{n}" for n in range(1, len(self.vectors)))]


@dataclass(frozen=True)
class Adapters:
    """The LoRAs and embeddings of a picture."""

    loras: tuple[Lora, ...] = ()
    embeddings: tuple[Embedding, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.loras or self.embeddings)

    @property
    def key(self) -> tuple[tuple[str, str | float], ...]:
        """What a model changed by them is known by; equal if they change a model equally.

        It has no tensors, which whatever keeps the key would keep too.
        """
        return (
            *((lora.sha256, lora.weight) for lora in self.loras),
            *((embedding.sha256, embedding.token) for embedding in self.embeddings),
        )

    @property
    def words(self) -> frozenset[str]:
        """The words of prompts that stand for embeddings, in lower case."""
        return frozenset(embedding.token.lower() for embedding in self.embeddings)


NO_ADAPTERS = Adapters()
_READ: WeakValueDictionary[str, Layers] = WeakValueDictionary()
"""The layers of the LoRAs that are in use, by hash: the jobs of a batch share them."""


def read_lora(path: Path, weight: float | None = None) -> Lora:
    """Read a LoRA in the format of kohya's scripts or of diffusers.

    weight: by default 1.

    Raises:
        ModelError: if it is not a readable LoRA for a family that runs.
    """
    kind, data = _read(path, "lora")
    sha256 = hashlib.sha256(data).hexdigest()
    layers = _READ.get(sha256)
    if layers is None:
        layers = _READ[sha256] = _layers(data, path.name)
    return Lora(path.name, sha256, 1.0 if weight is None else weight, kind.base, layers)


def read_embedding(path: Path) -> Embedding:
    """Read an embedding; its word is what the file says it is, else the file's name.

    Raises:
        ModelError: if it is not a readable embedding for Stable Diffusion 1.x, 2.x or XL.
    """
    kind, data = _read(path, "embedding")
    tensors = _tensors(data, path.name)
    is_pair = tensors.keys() == {*PAIR}
    if len(tensors) > 1 and not is_pair:
        raise ModelError(f"{path.name!r} has {len(tensors)} tensors", "give an embedding with one")
    if not all(tensor.numel() for tensor in tensors.values()):
        raise ModelError(f"{path.name!r} has no vectors", "download it again")
    first, *others = [
        tensors[name].float().reshape(-1, tensors[name].shape[-1])
        for name in (PAIR if is_pair else tensors)
    ]
    if any(len(other) != len(first) for other in others):
        counts = " and ".join(str(len(vectors)) for vectors in (first, *others))
        raise ModelError(
            f"{path.name!r} has {counts} vectors for its text encoders, not as many for each",
            "download it again",
        )
    (name,) = ["emb_params"] if is_pair else tensors
    token = path.stem if name == "emb_params" else name
    if not (TOKEN.fullmatch(token) and token.isprintable()):
        raise ModelError(
            f"{path.name!r} would be called {token[:80]!r} in a prompt, which is not one word",
            "rename the file",
        )
    sha256 = hashlib.sha256(data).hexdigest()
    return Embedding(path.name, sha256, token, kind.base, first, others[0] if others else None)


def _read(path: Path, role: str) -> tuple[FileKind, bytes]:
    """Return what a file is, and its bytes, if it has this role.

    Raises:
        ModelError: if it has not; it says what the file is instead.
    """
    article = {"lora": "a LoRA", "embedding": "an embedding"}[role]
    if path.suffix.lower() in PICKLES:
        raise ModelError(
            f"{path.name!r} is a pickle, which can run code when it is loaded",
            f"give {article} as a .safetensors file",
        )
    if not os.path.exists(path):  # noqa: PTH110  # unlike pathlib's, also for a name too long
        raise ModelError(f"there is no {role} {path.name[:100]!r}", "check its name")
    header = read_header(path)
    if path.suffix != ".safetensors":
        raise ModelError(f"{path.name!r} does not end in .safetensors", "rename it")
    kind = recognise(header)
    if kind.role != role:
        raise ModelError(f"{path.name!r} is {kind.what}", f"give {article}")
    usable = {"lora": BASES, "embedding": (*SD.bases, *SDXL.bases)}[role]
    if kind.base not in ("", *usable):
        known = {"lora": KNOWN, "embedding": IN_ONE_FILE}[role]
        raise ModelError(f"{path.name!r} is for {TITLES[kind.base]}", f"give one for {known}")
    check_dtypes(header, repr(path.name))
    try:
        return kind, read_regular(path, MAX_BYTES[role])
    except OSError as error:
        raise ModelError(
            f"{path.name!r} cannot be read ({error.strerror})", "give another file"
        ) from None


def _tensors(data: bytes, name: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; raise ModelError if they are not finite."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{name!r} is damaged ({error})"[:400], "download it again") from None
    if not all(bool(tensor.float().isfinite().all()) for tensor in tensors.values()):
        raise ModelError(f"{name!r} has nan or infinity among its numbers", "download it again")
    return tensors


def _layers(data: bytes, name: str) -> Layers:
    """Return the layers of a LoRA.

    Raises:
        ModelError: if it has tensors that a LoRA does not have, empty ones, or half of a layer.
    """
    parts: dict[str, dict[str, Tensor]] = {"down": {}, "up": {}, "alpha": {}}
    for key, tensor in _tensors(data, name).items():
        found = LAYER.fullmatch(key)
        layer = _layer_name(found["layer"]) if found else None
        if found is None or layer is None:
            raise ModelError(
                f"{name!r} has a tensor that SOW does not know: {key[:200]}", "use a plain LoRA"
            )
        parts[ROLES[found["role"]]][layer] = tensor
    down, up, alphas = parts.values()
    if not down or down.keys() != up.keys() or not alphas.keys() <= down.keys():
        raise ModelError(f"{name!r} lacks tensors of its layers", "download it again")
    for factor in (*down.values(), *up.values()):
        if factor.ndim < 2 or not factor.numel():
            wrong = "a number in place of a matrix" if factor.numel() else "an empty tensor"
            raise ModelError(f"{name!r} has {wrong}", "download it again")
    if any(alpha.numel() != 1 for alpha in alphas.values()):
        raise ModelError(f"{name!r} has an alpha that is not one number", "download it again")
    scale = {layer: alpha.item() / len(down[layer]) for layer, alpha in alphas.items()}
    return Layers(down, up, scale or _scales_of_diffusers(data, down, name))


def _layer_name(layer: str) -> str | None:
    """Return the component, `/` and the layer's name with `_` for `.`, or None."""
    name = layer.replace(".processor.", ".").replace(".", "_")
    for start, part in PARTS.items():
        if name.startswith(start):
            name = name.removeprefix(start).removeprefix("text_model_")
            if part == "unet":
                name = diffusers_name(name)
            is_old = re.search(r"attn[12]_to_out$", name)
            return f"{part}/{name}_0" if is_old else f"{part}/{name}"
    return None


def _scales_of_diffusers(data: bytes, down: Mapping[str, Tensor], name: str) -> dict[str, float]:
    """Return what layers are multiplied by, as diffusers and peft note it in the file's metadata.

    Raises:
        ModelError: if it is not readable, or notes a method that is not a plain LoRA.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        noted = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        if any(noted.get(f"{part}.use_dora") for part in PARTS.values()):
            raise ModelError(f"{name!r} is a DoRA", "use a plain LoRA")
        scales = {}
        for layer, tensor in down.items():
            part = layer.partition("/")[0]
            pattern = noted.get(f"{part}.alpha_pattern") or {}
            alphas = {_layer_name(f"{part}.{key}"): alpha for key, alpha in pattern.items()}
            alpha = alphas.get(layer, noted.get(f"{part}.lora_alpha"))
            root = 0.5 if noted.get(f"{part}.use_rslora") else 1.0
            if alpha is not None:
                scales[layer] = float(alpha) / len(tensor) ** root
        if not all(map(math.isfinite, scales.values())):
            raise ValueError
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ModelError(
            f"{name!r} has metadata that cannot be read", "download it again"
        ) from None
    return scales


def read_adapters(
    loras: Iterable[tuple[Path, float | None]], embeddings: Iterable[Path]
) -> Adapters:
    """Read the files of LoRAs, with their weights, and of embeddings.

    Raises:
        ModelError: if one cannot be used.
    """
    return Adapters(
        tuple(read_lora(path, weight) for path, weight in loras),
        tuple(read_embedding(path) for path in embeddings),
    )


def check_tokens(embeddings: Iterable[Embedding], vocabulary: Mapping[str, int]) -> None:
    """Check that the words of embeddings are no words already, and differ.

    Raises:
        ModelError: if not: a prompt would then mean something else.
    """
    known = {*vocabulary, *(word.removesuffix("</w>") for word in vocabulary)}
    seen: dict[str, str] = {}
    for embedding in embeddings:
        for token in embedding.tokens:
            if token in seen:
                raise ModelError(
                    f"{embedding.name!r} and {seen[token]!r} are both called {token!r}",
                    "rename one of the files",
                )
            if token in known:
                is_name = embedding.token == Path(embedding.name).stem
                raise ModelError(
                    f"{embedding.name!r} would be called {token!r}, which the model already knows "
                    "as a word",
                    "rename the file" if is_name else "use another",
                )
            seen[token] = embedding.name


def check_family(adapters: Adapters, base: str, model: str) -> None:
    """Check that LoRAs and embeddings are for the family of a model.

    base: of the model; empty if it is unknown, and then nothing is checked.

    Raises:
        ModelError: if one is for another family.
    """
    both: tuple[Lora | Embedding, ...] = (*adapters.loras, *adapters.embeddings)
    for adapter in both:
        if base and adapter.base and adapter.base != base:
            raise ModelError(
                f"{adapter.name!r} is for {TITLES[adapter.base]}, but {model} is {TITLES[base]}",
                "give one for the model, or another model=",
            )
