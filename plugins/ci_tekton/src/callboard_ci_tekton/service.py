"""What people do about the matching of runs."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, select, update

from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard_ci_tekton.matching.entities import take_in_named
from callboard_ci_tekton.matching.keys import WITHOUT_RUNS
from callboard_ci_tekton.matching.rework import ask_rework, rework_part
from callboard_ci_tekton.matching.service import hold_matching
from callboard_ci_tekton.models import claim, key, run

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

CLAIM = "ci_tekton.run.claim"


def claim_runs(host: "Host", wanted: str, ref: EntityRef) -> int:
    """Say that runs with a key belong to an entity, as far as no entity asks for them itself.

    Gives how many runs have the key. Their first 500 are matched at once, the others by a job.
    Raises `InputError` for a key that people may not claim by, or whose runs all belong to
    entities that ask for them; `NotFoundError` where no run has it or there is no such entity;
    `NotAllowedError` without the permission for the entity, or for the one that has the claim now.
    """
    if not wanted.startswith(("repository:", "pipeline:")):
        raise InputError(_("Runs are claimed by their repository or by their pipeline."))
    if ref.kind in WITHOUT_RUNS:
        raise InputError(_("%(ref)s is of a kind that has no runs.", ref=str(ref)))
    if host.catalog.get(ref) is None:
        raise NotFoundError(_("There is no entity %(ref)s.", ref=str(ref)))
    host.require(CLAIM, ref)
    take_in_named(host, [str(ref)])
    with host.write() as connection:
        hold_matching(connection, alone=True)
        before = connection.execute(select(claim).where(claim.c.key == wanted)).one_or_none()
        if before is not None and before.entity != str(ref):
            host.require(CLAIM, EntityRef.parse(before.entity))
        runs = _count(connection, wanted, is_claimed=before is not None)
        if before is not None and before.entity == str(ref):
            return runs
        values = {"entity": str(ref), "actor": str(host.asker.principal), "at": host.now()}
        if before is None:
            connection.execute(insert(claim).values(key=wanted, **values))
        else:
            connection.execute(update(claim).where(claim.c.key == wanted).values(values))
        ask_rework(host, connection, [wanted])
        was = {"entity": before.entity} if before else None
        host.audit(connection, CLAIM, wanted, before=was, after={"entity": str(ref)})
        data = {"key": wanted, "runs": runs}
        host.publish(connection, "ci_tekton.run.claimed", str(ref), data)
    rework_part(host, only=wanted)
    return runs


def _count(connection: Connection, wanted: str, *, is_claimed: bool) -> int:
    """Give how many runs have a key. Raises where there is none, or none that can be claimed."""
    runs = int(connection.execute(
        select(func.count()).select_from(key).where(key.c.key == wanted)).scalar_one())  # fmt: skip
    if not runs:
        raise NotFoundError(_("No run is known by %(key)s any more.", key=wanted))
    free = select(run.c.id).join(key, key.c.run_id == run.c.id)
    free = free.where(key.c.key == wanted, run.c.matched.is_(False)).limit(1)
    if not is_claimed and not connection.execute(free).first():
        raise InputError(
            _(
                "Entities ask for all runs with %(key)s themselves: change what they ask for in "
                "their descriptors.",
                key=wanted,
            )
        )
    return runs
