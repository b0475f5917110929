"""The training loop of all models here: seeded, resumable, logged."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

Loss = Callable[[int, torch.Generator, np.random.Generator], tuple[torch.Tensor, dict[str, float]]]
"""(step, generators seeded for the step) -> the loss and numbers for the log."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train.

    steps: optimiser steps. learning_rate: its peak, after `warmup` steps; from the share
    `hold` of the run on it falls in a straight line to a hundredth. ema: decay of the average
    of the weights that is kept as the result. hours: the run also ends after so much training
    time, and its schedule follows whichever of the two is nearer to its end. A checkpoint is
    saved every `save_every` steps and every `save_minutes`.
    """

    steps: int
    learning_rate: float
    warmup: int = 60
    hold: float = 0.5
    ema: float = 0.998
    seed: int = 0
    log_every: int = 100
    save_every: int = 500
    hours: float = math.inf
    save_minutes: float = math.inf

    def done(self, step: int, seconds: float = 0.0) -> float:
        """Return which share of the run is over, 0 to 1."""
        return min(1.0, max(step / self.steps, seconds / (3600 * self.hours)))

    def rate(self, step: int, seconds: float = 0.0) -> float:
        """Return the learning rate of a step."""
        left = (1 - self.done(step, seconds)) / (1 - self.hold)
        return self.learning_rate * min(1, (step + 1) / self.warmup, max(0.01, left))


Measure = Callable[[Mapping[str, nn.Module]], dict[str, float]]
"""The averaged models -> numbers for the log."""


class Matrices:
    """Muon for a model's matrices and convolutions.

    torch.optim.Muon takes matrices only: a convolution is shown to it as the matrix (out,
    everything else), a view of the same memory as long as the weights lie channels_last.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float) -> None:
        self.parameters = parameters
        self.views = [nn.Parameter(_matrix(p.detach())) for p in parameters]
        for parameter, view in zip(parameters, self.views, strict=True):
            if parameter.untyped_storage().data_ptr() != view.untyped_storage().data_ptr():
                raise ValueError("a convolution's weights must lie channels_last")
        self.optimizer: torch.optim.Optimizer = torch.optim.Muon(
            self.views, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        )

    def step(self) -> None:
        """Take one step with the gradients of the parameters."""
        for parameter, view in zip(self.parameters, self.views, strict=True):
            view.grad = None if parameter.grad is None else _matrix(parameter.grad)
        self.optimizer.step()


def _matrix(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dim() == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(len(tensor), -1)


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Return whether Muon trains a parameter: not embeddings, nor the first and last layers."""
    ends = ("embedding", "conv_in", "conv_out", "quant_conv", "head")
    if parameter.dim() < 2 or any(end in name for end in ends):
        return False
    return min(len(parameter), parameter.numel() // len(parameter)) >= 16


class Trainer:
    """Trains the models of a dictionary together and keeps the average of their weights."""

    def __init__(self, models: dict[str, nn.Module], config: TrainingConfig, folder: Path) -> None:
        self.models, self.config, self.folder = models, config, folder
        folder.mkdir(parents=True, exist_ok=True)
        named = [
            (f"{name}.{key}", parameter)
            for name, model in models.items()
            for key, parameter in model.named_parameters()
            if parameter.requires_grad
        ]
        self.parameters: list[torch.Tensor] = [parameter for _, parameter in named]
        matrices = [parameter for name, parameter in named if _is_matrix(name, parameter)]
        known = {id(parameter) for parameter in matrices}
        others = [parameter for parameter in self.parameters if id(parameter) not in known]
        self.muon = Matrices(matrices, config.learning_rate)
        self.adam = torch.optim.AdamW(
            others, config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.averages = {name: copy.deepcopy(model) for name, model in models.items()}
        self.average_parameters: list[torch.Tensor] = [
            parameter
            for name, model in self.averages.items()
            for parameter in model.parameters()
            if parameter.requires_grad
        ]
        self.step, self.seconds = 0, 0.0
        self.resume()
        self.saved = self.step, self.seconds

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self.config.done(self.step, self.seconds) >= 1

    def run(
        self, loss: Loss, measure: Measure | None = None, measure_every: int = 1000
    ) -> dict[str, Any]:
        """Train to the end and return the averaged models, ready to use.

        measure: measures the averaged models every `measure_every` steps.
        """
        seen: list[dict[str, float]] = []
        started = time.monotonic() - self.seconds
        while not self.finished:
            seen.append(self._one(loss))
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step % self.config.log_every == 0 or self.step == 20:
                self.log({key: float(np.nanmean([s[key] for s in seen])) for key in seen[0]})
                seen = []
            if measure and (self.step % measure_every == 0 or self.finished):
                with torch.no_grad():
                    self.log(measure(self.averages))
            minutes = (self.seconds - self.saved[1]) / 60
            if self.step % self.config.save_every == 0 or minutes >= self.config.save_minutes:
                self.save()
        if self.saved[0] != self.step:
            self.save()
        return {name: model.eval() for name, model in self.averages.items()}

    def _one(self, loss: Loss) -> dict[str, float]:
        rate = self.config.rate(self.step, self.seconds)
        for optimizer in (self.muon.optimizer, self.adam):
            for group in optimizer.param_groups:
                group["lr"] = rate
        # Seeded by the step, so that a resumed run sees what an unbroken one sees.
        seed = self.config.seed * 10_000_019 + self.step
        generator = torch.Generator().manual_seed(seed)
        value, numbers = loss(self.step, generator, np.random.default_rng(seed))
        for parameter in self.parameters:
            parameter.grad = None
        torch.autograd.backward(value)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.muon.step()
        self.adam.step()
        decay = min(self.config.ema, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self.average_parameters, self.parameters, 1 - decay)
        return {"loss": value.item(), **numbers, "gradient": norm.item()}

    def log(self, numbers: dict[str, float]) -> None:
        """Print a line and append it to `log.jsonl`."""
        line = {"step": self.step, "seconds": round(self.seconds, 1)}
        line |= {key: float(f"{value:.5g}") for key, value in numbers.items()}
        print(json.dumps(line), flush=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    # ------------------------------------------------------------------ checkpoints

    @property
    def checkpoint(self) -> Path:
        """The file that a run goes on from."""
        return self.folder / "checkpoint.safetensors"

    def _state(self) -> dict[str, torch.Tensor]:
        state = {f"parameter.{n}": p.detach() for n, p in enumerate(self.parameters)}
        state |= {f"average.{n}": p.detach() for n, p in enumerate(self.average_parameters)}
        for name, optimizer in (("muon", self.muon.optimizer), ("adam", self.adam)):
            for index, values in optimizer.state_dict()["state"].items():
                state |= {f"{name}.{index}.{key}": value for key, value in values.items()}
        return {key: value.contiguous() for key, value in state.items()}

    def save(self) -> None:
        """Save everything needed to resume."""
        about = {"step": str(self.step), "seconds": str(self.seconds)}
        unfinished = self.checkpoint.with_suffix(".part")
        save_file(self._state(), unfinished, metadata=about)
        unfinished.replace(self.checkpoint)
        self.saved = self.step, self.seconds

    def resume(self) -> None:
        """Resume from the checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        with safe_open(self.checkpoint, "pt") as file:
            about = file.metadata()
            names = file.keys()  # the file is not a mapping and cannot be iterated
            tensors = {name: file.get_tensor(name) for name in names}
        with torch.no_grad():
            for n, parameter in enumerate(self.parameters):
                parameter.copy_(tensors[f"parameter.{n}"])
            for n, parameter in enumerate(self.average_parameters):
                parameter.copy_(tensors[f"average.{n}"])
        for name, optimizer in (("muon", self.muon.optimizer), ("adam", self.adam)):
            state = optimizer.state_dict()
            state["state"] = {}
            for key, value in tensors.items():
                kind, index, *rest = key.split(".")
                if kind == name:
                    state["state"].setdefault(int(index), {})[".".join(rest)] = value
            optimizer.load_state_dict(state)
        self.step, self.seconds = int(about["step"]), float(about["seconds"])
        print(f"going on from step {self.step}", flush=True)


def load_averages(models: dict[str, nn.Module], folder: Path) -> int:
    """Copy the averaged weights of a run that may still go on into models; return its step.

    models: as the trainer got them, in the same order. folder: the trainer's.
    """
    with safe_open(folder / "checkpoint.safetensors", "pt") as file:
        parameters = [p for m in models.values() for p in m.parameters() if p.requires_grad]
        with torch.no_grad():
            for n, parameter in enumerate(parameters):
                parameter.copy_(file.get_tensor(f"average.{n}"))
        return int(file.metadata()["step"])
