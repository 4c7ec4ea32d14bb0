"""The pages of a descriptor file on the host of its repository."""

from callboard.repositories import edit_page, file_page, folder_page
from callboard_catalog.sources.base import WebAddress


def web_address(url: str, branch: str, path: str) -> WebAddress:
    """Give a file's pages on its host; of a host that is not known only the repository itself."""
    view = file_page(url, branch, path)
    if view:
        folder = path.rpartition("/")[0]
        return WebAddress(
            view=view, edit=edit_page(url, branch, path), source=folder_page(url, branch, folder)
        )
    if url.startswith(("http://", "https://")):
        return WebAddress(source=url.removesuffix("/").removesuffix(".git"))
    return WebAddress(source=url if "://" in url else "")
