"""A real slapd of a test's own, and a portal that reads it."""

import datetime
import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import event, select

from callboard.entities import Entity, EntityRef
from callboard.testing import Clock, absent
from callboard_catalog import models as catalog
from callboard_web.runtime import Runtime

BASE = "dc=example,dc=com"
READER = f"cn=reader,{BASE}"
LIMITED = f"cn=limited,{BASE}"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = "s3cret-of-the-test"
SCHEMA = Path("/etc/ldap/schema")
_SECONDS = 20

_CONFIG = """\
{includes}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath {modules}
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit 100
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {folder}/data
maxsize 104857600
dbnosync
limits dn.exact="{reader}" size=100 size.prtotal=unlimited
limits dn.exact="{limited}" size=10 size.prtotal=10
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by dn.exact="{limited}" read by anonymous auth
index objectClass,entryUUID eq
overlay memberof
"""


def program(name: str) -> str:
    """Give the path of one of slapd's programs; the test is skipped where there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None or not SCHEMA.is_dir():
        absent("No slapd: it is neither on PATH nor in /usr/sbin.")
    return found


def entry(dn: str, classes: str, **values: str | Iterable[str]) -> str:
    """Give an entry as LDIF."""
    lines = [f"dn: {dn}", *(f"objectClass: {name}" for name in classes.split())]
    for key, value in values.items():
        lines += [f"{key}: {one}" for one in ([value] if isinstance(value, str) else value)]
    return "\n".join(lines) + "\n"


def person(uid: str, title: str = "", **more: str) -> str:
    values = {"uid": uid, "cn": title or uid, "sn": uid, "mail": f"{uid}@example.com", **more}
    return entry(dn_of(uid), "inetOrgPerson", **values)


def group(name: str, members: Iterable[str], **more: str) -> str:
    dns = [member if "=" in member else dn_of(member) for member in members]
    return entry(team_of(name), "groupOfNames", cn=name, member=dns, **more)


def dn_of(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


def team_of(name: str) -> str:
    return f"cn={name},ou=groups,{BASE}"


class Slapd:
    """A server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        write_certificates(folder)
        (folder / "data").mkdir()
        names = ("core", "cosine", "inetorgperson", "nis")
        (folder / "slapd.conf").write_text(
            _CONFIG.format(
                includes="\n".join(f"include {SCHEMA}/{name}.schema" for name in names),
                folder=folder, base=BASE, admin=ADMIN, password=PASSWORD, reader=READER,
                limited=LIMITED, modules="/usr/lib/ldap",
            )
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def fill(self, entries: Iterable[str]) -> None:
        """Put entries in while it does not run."""
        roots = [
            entry(BASE, "dcObject organization", dc="example", o="Example"),
            *(entry(f"ou={name},{BASE}", "organizationalUnit", ou=name)
              for name in ("people", "groups")),
            *(entry(dn, "simpleSecurityObject organizationalRole", cn=dn[3:].partition(",")[0],
                    userPassword=PASSWORD) for dn in (READER, LIMITED)),
        ]  # fmt: skip
        file = self.folder / "entries.ldif"
        file.write_text("\n".join([*roots, *entries]))
        done = subprocess.run(
            [program("slapadd"), "-q", "-f", self.folder / "slapd.conf", "-l", file],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        command = [
            program("slapd"), "-f", str(self.folder / "slapd.conf"), "-d", "0",
            "-h", f"{self.url}/ {self.tls_url}/",
        ]  # fmt: skip
        with (self.folder / "log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + _SECONDS
        for port in (self.port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                except OSError:
                    said = (self.folder / "log").read_text(errors="replace")
                    assert self.process.poll() is None, said
                    assert time.monotonic() < deadline, said
                    time.sleep(0.02)
                else:
                    break

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(_SECONDS)
            self.process = None

    @contextmanager
    def changing(self) -> Iterator[Any]:
        """Give a connection that may change everything; each change must succeed."""
        from callboard_people_ldap.client import _library

        ldap3 = _library()
        server = ldap3.Server("127.0.0.1", port=self.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(
            server, ADMIN, PASSWORD, auto_bind=True, raise_exceptions=True, check_names=False
        )
        try:
            yield connection
        finally:
            connection.unbind()


@contextmanager
def running(entries: Iterable[str]) -> Iterator[Slapd]:
    """Start a server with these entries."""
    program("slapd")
    folder = Path(tempfile.mkdtemp(prefix="callboard-slapd-", dir="/tmp"))
    made = Slapd(folder)
    try:
        made.fill(entries)
        made.start()
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


def write_certificates(folder: Path) -> None:
    """Write a CA, a certificate it gave to this machine, and a CA that gave none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: str, issuer: str, key: Any, signer: Any, *, ca: bool) -> bytes:
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
                 for text in (name, issuer)]  # fmt: skip
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        built = (
            x509.CertificateBuilder()
            .subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        )  # fmt: skip
        return built.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server", "other")}
    for name in ("ca", "other"):
        made = certificate(f"Test {name}", f"Test {name}", keys[name], keys[name], ca=True)
        (folder / f"{name}.pem").write_bytes(made)
    (folder / "server.pem").write_bytes(
        certificate("127.0.0.1", "Test ca", keys["server"], keys["ca"], ca=False)
    )
    (folder / "server.key").write_bytes(
        keys["server"].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip


def server_settings(slapd: Slapd, **more: Any) -> dict[str, Any]:
    """Give the settings of a server that reads this one."""
    return {
        "name": "company", "url": slapd.url, "bind_dn": READER, "password": PASSWORD,
        "page_size": 50,
        "users": {"base": f"ou=people,{BASE}"},
        "groups": {"base": f"ou=groups,{BASE}"},
        **more,
    }  # fmt: skip


class Site:
    """A running portal and the directory it reads."""

    def __init__(self, runtime: Runtime, slapd: Slapd) -> None:
        self.runtime = runtime
        self.slapd = slapd

    def read(self, name: str = "company") -> None:
        self.runtime.engine.read(f"people_ldap.{name}")

    def names(self, kind: str = "user", namespace: str = "default") -> list[str]:
        refs = select(catalog.entity.c.ref).where(catalog.entity.c.kind == kind)
        with self.runtime.database.read() as connection:
            found = [EntityRef.parse(ref) for ref in connection.scalars(refs)]
        return sorted(ref.name for ref in found if ref.namespace == namespace)

    @contextmanager
    def writes(self) -> Iterator[list[str]]:
        """Collect the statements that write the plugin's table or entities."""
        seen: list[str] = []

        def watch(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            verb, *words = statement.split()
            changed = {"people_ldap_identity", "entity"} & set(words[:3])
            if verb.upper() in ("INSERT", "UPDATE", "DELETE") and changed:
                seen.append(statement)

        engine = self.runtime.database.engine
        event.listen(engine, "before_cursor_execute", watch)
        yield seen
        event.remove(engine, "before_cursor_execute", watch)

    def entity(self, kind: str, name: str, namespace: str = "default") -> Entity:
        found = self.runtime.catalog.get(EntityRef(kind, namespace, name))
        assert found is not None
        return found


@contextmanager
def opened(
    folder: Path, database: str, clock: Clock, servers: list[Mapping[str, Any]]
) -> Iterator[Runtime]:
    """Open a portal with these servers."""
    config = folder / "callboard.yaml"
    environment = {"CALLBOARD_PLUGINS": "people_ldap"}
    written = []
    for number, server in enumerate(servers):
        environment[f"LDAP_{number}"] = str(server.get("password", ""))
        named = {"password": f"${{env:LDAP_{number}}}"} if "password" in server else {}
        written.append({**server, **named})
    document = {
        "access": {"anonymous": "administrator"},
        "database": {"url": database},
        "plugins": {"settings": {"people_ldap": {"servers": written}}},
    }
    config.write_text(yaml.safe_dump(document))
    made = Runtime.open(config, environment, clock=clock, strict=True)
    made.upgrade()
    made.start(worker=False, serve=False)
    try:
        yield made
    finally:
        made.stop()
