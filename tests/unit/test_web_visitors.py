"""What is kept for visitors goes when their cookie is gone."""

from datetime import timedelta

from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_web.personal import Personal
from callboard_web.testing import PortalUnderTest

REF = EntityRef.parse("component:default/orders")


def test_visitors_are_forgotten_after_a_year(portal: PortalUnderTest, clock: Clock) -> None:
    runtime = portal.runtime
    personal = Personal(runtime.database, runtime.catalog, clock)
    for key in ("visitor:old", "user:default/ann"):
        personal.visited(key, "/catalog", "Catalog", None)
        personal.star(key, REF, True)
        personal.arrange(key, {"hidden": ["seen"]})
    clock.advance(timedelta(days=200))
    personal.visited("visitor:new", "/catalog", "Catalog", None)
    personal.star("visitor:new", REF, True)
    clock.advance(timedelta(days=200))
    portal.run_jobs()
    assert not personal.visits("visitor:old")
    assert not personal.stars("visitor:old")
    assert not personal.person("visitor:old").home
    assert personal.stars("visitor:new") == [REF]
    assert personal.visits("visitor:new")
    assert personal.stars("user:default/ann") == [REF]
    assert personal.person("user:default/ann").home
