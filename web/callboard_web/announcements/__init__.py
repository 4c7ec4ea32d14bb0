"""What administrators tell everyone, above every page for as long as it holds."""

from callboard_web.announcements.service import Announcement, Announcements

__all__ = ["Announcement", "Announcements"]
