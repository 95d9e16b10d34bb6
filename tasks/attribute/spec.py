"""How much attribution an experiment asks for."""

from dataclasses import dataclass

from models.spec import STRICT, require


@dataclass(frozen=True)
class AttributionSpec:
    """Integrated gradients and mean partial derivatives of every unit."""

    __pydantic_config__ = STRICT

    samples: int = 400
    """Test windows attributed per unit, spread evenly over its dates; 0 leaves attribution out."""
    nodes: int = 20
    """Gauss-Legendre nodes on the path; doubled for samples whose completeness gap is too wide."""

    def __post_init__(self) -> None:
        require(self.samples >= 0, f"samples must be at least 0; it is {self.samples}")
        require(self.nodes >= 1, f"nodes must be at least 1; it is {self.nodes}")
