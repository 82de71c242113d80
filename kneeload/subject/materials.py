"""What cartilage and meniscus are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from kneeload.errors import check_range
from kneeload.subject.surface import LayerMaterial


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """Elastic constants of the soft layers.

    Attributes:
        cartilage: elastic-foundation cartilage; E 10 MPa and nu 0.45 are the values of the released model of the source knee
            in OpenSim-JAM (Lenhart 2015, Smith 2019); other released versions of it use 5 MPa, so take 5 to 15 MPa as the range.
        meniscus: axial and radial direction of the loaded meniscus; E 20 MPa, nu 0.2, the values of common finite element models
            (Donahue 2002, doi 10.1115/1.1470171). An unloaded meniscus is softer (`contact.model.ContactModel.meniscus_toe`). Range 15 to 25 MPa.
    """

    cartilage: LayerMaterial = field(default_factory=lambda: LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45))
    meniscus: LayerMaterial = field(default_factory=lambda: LayerMaterial(youngs_modulus_mpa=20.0, poisson_ratio=0.2))

    def __post_init__(self) -> None:
        for name, layer in (("cartilage", self.cartilage), ("meniscus", self.meniscus)):
            check_range(f"Young's modulus of the {name}", layer.youngs_modulus_mpa, 0.05, 500.0, "MPa",
                        where=f"contact.{name}.youngs_modulus_mpa", why="soft tissue of a joint is neither a liquid nor bone")
            check_range(f"Poisson's ratio of the {name}", layer.poisson_ratio, 0.0, 0.499, "",
                        where=f"contact.{name}.poisson_ratio", why="an elastic layer on a stiff base locks at 0.5")
