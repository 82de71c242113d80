"""Write the reference knee as surface files with a manifest, from its fitted coefficients alone.

    python -m kneeload.meshes.build [--sex male] [--output FOLDER]

The folder can be read back with `anatomy=meshes anatomy.folder=FOLDER`. Points are rounded to a thousandth of a millimetre.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Sex, Subject
from kneeload.subject.reference import reference_anatomy
from kneeload.subject.size import MEAN_HEIGHT_M
from kneeload.subject.solids import meniscus_body
from kneeload.subject.surface import TriangleMesh

HERE = Path(__file__).parent
BODIES = {
    "femur_bone": "femur", "femur_cartilage": "femur", "tibia_bone": "tibia", "tibia_cartilage": "tibia", "patella_bone": "patella",
    "patella_cartilage": "patella", "medial_meniscus": "tibia", "lateral_meniscus": "tibia",
}
ROUNDED_MM = 1e-3
SOURCE = (
    "fitted to one MRI knee (woman, 62 kg; Lenhart 2015, Smith 2019, OpenSim-JAM resources, Apache-2.0), stretched to published mean "
    "dimensions (see kneeload.subject.size), cartilage of published mean thickness (Eckstein 2010, Hudelmaier 2001)"
)


def surfaces(anatomy: KneeAnatomy) -> dict[str, TriangleMesh]:
    """The eight surfaces of a knee with both menisci: bones and menisci closed, cartilage as its open outer face; mm."""
    if anatomy.medial_meniscus is None or anatomy.lateral_meniscus is None:
        raise ValueError("a knee with both menisci is needed")
    return {
        "femur_bone": anatomy.bones["femur"],
        "femur_cartilage": anatomy.femur.mesh.selected(np.flatnonzero(anatomy.femur.thickness_mm > 0.0)),
        "tibia_bone": anatomy.bones["tibia"],
        "tibia_cartilage": joined(anatomy.tibia_medial.mesh, anatomy.tibia_lateral.mesh),
        "patella_bone": anatomy.bones["patella"],
        "patella_cartilage": anatomy.patella.mesh,
        "medial_meniscus": meniscus_body(anatomy.medial_meniscus),
        "lateral_meniscus": meniscus_body(anatomy.lateral_meniscus),
    }


def joined(first: TriangleMesh, second: TriangleMesh) -> TriangleMesh:
    """Two meshes as one."""
    return TriangleMesh(points=np.concatenate([first.points, second.points]),
                        triangles=np.concatenate([first.triangles, second.triangles + len(first.points)]))


def ply_bytes(mesh: TriangleMesh) -> bytes:
    """A mesh as binary PLY, little-endian, points in single precision."""
    points = (np.round(mesh.points / ROUNDED_MM) * ROUNDED_MM).astype("<f4")
    faces = np.empty(len(mesh.triangles), dtype=[("count", "u1"), ("corner", "<i4", 3)])
    faces["count"], faces["corner"] = 3, mesh.triangles
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return header.encode("ascii") + points.tobytes() + faces.tobytes()


def manifest(name: str, files: Mapping[str, bytes]) -> dict[str, object]:
    """What `manifest.yaml` says about the files."""
    return {
        "name": name, "side": "right", "length_unit": "mm", "axes": {"x": "anterior", "y": "proximal", "z": "lateral"},
        "source": SOURCE, "licence": "BSD-3-Clause; geometry derived from Apache-2.0 data",
        "surfaces": {key: {"file": f"{key}.ply", "body": BODIES[key], "sha256": hashlib.sha256(data).hexdigest()} for key, data in files.items()},
    }


def build(folder: Path, sex: Sex = "male") -> None:
    """Write the mean knee of a sex to a folder."""
    knee = reference_anatomy(Subject(sex=sex, height_m=MEAN_HEIGHT_M[sex]))
    files = {name: ply_bytes(mesh) for name, mesh in surfaces(knee).items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.ply").write_bytes(data)
    text = yaml.safe_dump(manifest(f"reference_{sex}", files), sort_keys=False, width=140)
    (folder / "manifest.yaml").write_text("# The reference knee. Written by `python -m kneeload.meshes.build`.\n" + text, encoding="utf-8")


def main() -> None:
    """Command line: write the files and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sex", choices=("male", "female"), default="male")
    parser.add_argument("--output", type=Path, default=HERE)
    options = parser.parse_args()
    build(options.output, options.sex)
    for path in sorted(options.output.glob("*.ply")):
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
