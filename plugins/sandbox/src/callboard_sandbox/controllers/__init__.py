"""Controllers for Tekton: runs go through the states, reasons and events of a real cluster."""

from callboard_sandbox.controllers.loop import Controllers
from callboard_sandbox.controllers.plan import Plan

__all__ = ["Controllers", "Plan"]
