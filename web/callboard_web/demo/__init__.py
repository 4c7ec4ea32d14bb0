"""The sample organisation that `callboard demo` shows."""

from callboard_web.demo.organisation import (
    DemoRepository,
    build_organisation,
    demo_configuration,
)
from callboard_web.demo.parts import fill_parts, with_parts

__all__ = ["DemoRepository", "build_organisation", "demo_configuration", "fill_parts", "with_parts"]
