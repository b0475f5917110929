"""Find, download and load models by name."""

from sow.models.devices import choose_device, choose_dtype, is_out_of_memory
from sow.models.find import BUNDLED, Model, download_model, find_model
from sow.models.load import load_pipeline

__all__ = [
    "BUNDLED",
    "Model",
    "choose_device",
    "choose_dtype",
    "download_model",
    "find_model",
    "is_out_of_memory",
    "load_pipeline",
]
