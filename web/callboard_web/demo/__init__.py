"""The sample organisation that `callboard demo` shows."""

from callboard_web.demo.organisation import (
    DemoRepository,
    build_organisation,
    demo_configuration,
)

__all__ = ["DemoRepository", "build_organisation", "demo_configuration"]
