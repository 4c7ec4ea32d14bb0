"""Files of the library, to be applied by hand or to be kept in a repository of one's own."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_ci_tekton.library.items import Item, load_items, with_needs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callboard.host import Host

_ = Translator("ci_tekton")


def make_router(host: "Host") -> APIRouter:
    """Give the routes `library.yaml` and `library/<name>.yaml`."""
    router = APIRouter()

    @router.get("/library.yaml")
    def read_library() -> Response:
        """All objects of the library, as one file."""
        found = load_items(host.settings.library)
        return _file("callboard-library.yaml", list(found.values())[::-1])

    @router.get("/library/{name}.yaml")
    def read_item(
        name: str,
        needs: Annotated[bool, Query(description="With all it needs.")] = False,
    ) -> Response:
        """One object of the library."""
        found = load_items(host.settings.library)
        item = found.get(name)
        if item is None:
            raise NotFoundError(_("The library has no %(name)s.", name=name[:100]))
        return _file(f"{item.name}.yaml", with_needs(found, item) if needs else [item])

    return router


def _file(name: str, items: "Iterable[Item]") -> Response:
    return Response(
        "---\n".join(item.text for item in items),
        media_type="application/yaml",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
