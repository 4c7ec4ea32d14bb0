"""Lists of the catalog under names, personal and shared."""

from callboard_web.saved_views.service import SavedView, SavedViews

__all__ = ["SavedView", "SavedViews"]
