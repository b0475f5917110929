"""Face detection: whether there is a face, and how many."""

from __future__ import annotations

from sow.benchmarks.tv2i.metrics.base import AROUND, HEAD, Case, Metric
from sow.benchmarks.tv2i.metrics.faces import Faces


class FaceFound(Metric):
    """Face Detection Rate (Sec. V-A): whether MTCNN (Zhang et al. 2016) finds a face at all."""

    name, label, better, unit, rate = "face_found", "Face Detection Rate", "higher", "%", True
    note = "MTCNN finds a face (paper, Sec. V-A)"
    group, main = HEAD, True

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        return float(bool(self.faces.find(case.picture)))


class Persons(Metric):
    """How many faces MTCNN finds: more than one where one was planted is a second person."""

    name, label, better = "persons", "Faces", ""
    note = "faces that MTCNN finds; one was planted"
    group = AROUND

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def value(self, case: Case) -> float:
        """Return a count."""
        return float(len(self.faces.find(case.picture)))


class OnePerson(Metric):
    """1 if MTCNN finds exactly one face, else 0."""

    name, label, better, unit, rate = "one_person", "Exactly one face", "higher", "%", True
    note = "MTCNN finds one face and no second"
    group = HEAD

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        return float(len(self.faces.find(case.picture)) == 1)
