"""No way in: which URLs are refused, what is connected to, and that nothing is looked up twice."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from identity_service.webhooks import addresses, sealing, sending
from identity_service.webhooks.addresses import Refused

REFUSED = (Path(__file__).parent / "refused.txt").read_text().split()
PUBLIC = "93.184.216.34"
LOOK_UP = socket.getaddrinfo


def resolving(monkeypatch, *answers):
    """Names have these addresses, look-up by look-up; the last one stays. Returns the names that were looked up."""
    asked, left = [], list(answers)

    def lookup(host, port, *rest, **options):
        try:
            return LOOK_UP(host, port, *rest, flags=socket.AI_NUMERICHOST, **{k: v for k, v in options.items() if k != "flags"})
        except (socket.gaierror, TypeError):
            asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def test_the_list_has_sixty():
    assert len(set(REFUSED)) == len(REFUSED) == 60


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_inside_is_refused(url):
    with pytest.raises(Refused):
        addresses.target(url)


@pytest.mark.parametrize("url", REFUSED)
def test_a_local_server_takes_localhost_over_http_and_nothing_else_of_it(url, monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_WEBHOOKS_LOCALHOST", "true")
    if url.startswith("http://127.0.0.1:9001"):
        assert addresses.target(url).port == 9001
        return
    with pytest.raises(Refused):
        addresses.target(url)


@pytest.mark.parametrize("address", [line.split("//")[1].strip("[]/") for line in REFUSED if "[" in line and "%" not in line])
def test_a_name_with_such_an_address_is_refused(address, monkeypatch):
    address = address.partition("]")[0]
    for found in ([address], [PUBLIC, address], [address, PUBLIC]):
        resolving(monkeypatch, found)
        with pytest.raises(Refused):
            addresses.target("https://hooks.example.com/a")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "https://hooks.example.com:8443/", "https://user:pw@hooks.example.com/", "ftp://a.example/",
        "https:///path", "https://", "", "hooks.example.com", "https://hooks.example.com/a b", "https://hooks.example.com/\n",
        "https://hooks.example.com\\@127.0.0.1/", "https://h\u00f6oks.example.com/", "https://a.example/" + "x" * 500,
        "https://[::1", "https://a.example:99999/", "javascript:alert(1)", "https://printer.local/", "https://db.internal/",
        "http://localhost:8000/", "https://a.example/#b",
    ],
)  # fmt: skip
def test_what_is_no_url_for_a_webhook_is_refused_without_a_lookup(url, monkeypatch):
    asked = resolving(monkeypatch, [PUBLIC])
    with pytest.raises(Refused):
        addresses.check(url)
    assert asked == []


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:800::200e"])
def test_what_is_outside_is_not(address, monkeypatch):
    resolving(monkeypatch, [address])
    found = addresses.target("https://hooks.example.com/a?b=c")
    assert (found.address, found.port, found.host, found.path) == (address, 443, "hooks.example.com", "/a?b=c")


def test_an_answer_that_changes_after_the_lookup_changes_nothing(monkeypatch):
    asked, connected = resolving(monkeypatch, [PUBLIC], ["127.0.0.1"]), []

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    answer = sending.post("https://hooks.example.com/", "{}", {})
    assert (answer.status, answer.text) == (0, "no answer: ConnectionRefusedError")
    assert (asked, connected) == (["hooks.example.com"], [(PUBLIC, 443)])
    answer = sending.post("https://hooks.example.com/", "{}", {})
    assert answer.text == "not sent: hooks.example.com has the address 127.0.0.1, which is not public"
    assert connected == [(PUBLIC, 443)]


def test_a_name_without_an_address_is_a_failure(monkeypatch):
    def nothing(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    assert sending.post("https://hooks.example.com/", "{}", {}).text == "not sent: the name of the host has no address"


def self_signed(name, folder):
    """The files of a key and of its certificate for a name, which is its own authority."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kept = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    key.write_bytes(private.private_bytes(*kept))
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    return key, certificate


@pytest.fixture
def tls_server(tmp_path):
    """A server with a certificate for hooks.example.com; `seen` has the name that each client asked for."""
    key, certificate = self_signed("hooks.example.com", tmp_path)
    context, seen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _, name, __: seen.append(name)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    got = ""
                    while not got.endswith("{}"):
                        got += connection.recv(65536).decode()
                    seen.append(next(line for line in got.split("\r\n") if line.lower().startswith("host:")))
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except (OSError, ssl.SSLError):
                seen.append("refused")

    threading.Thread(target=serve, daemon=True).start()
    yield SimpleNamespace(port=listening.getsockname()[1], certificate=certificate, seen=seen)
    listening.close()


def test_the_certificate_is_checked_for_the_name_and_the_name_is_asked_for(tls_server, monkeypatch):
    resolving(monkeypatch, [PUBLIC])
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda _, timeout: real(("127.0.0.1", tls_server.port), timeout))
    trusting = ssl.create_default_context(cafile=tls_server.certificate)
    monkeypatch.setattr(sending, "_tls", lambda: trusting)
    assert sending.post("https://hooks.example.com/a", "{}", {}).status == 204
    assert tls_server.seen == ["hooks.example.com", "Host: hooks.example.com"]
    assert "SSLCertVerificationError" in sending.post("https://other.example.com/a", "{}", {}).text
    monkeypatch.setattr(sending, "_tls", ssl.create_default_context)
    assert "SSLCertVerificationError" in sending.post("https://hooks.example.com/a", "{}", {}).text


def test_a_receiver_that_sends_a_byte_now_and_then_is_cut_off(monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_WEBHOOKS_LOCALHOST", "true")
    listening, over, connect = socket.create_server(("127.0.0.1", 0)), threading.Event(), socket.create_connection
    # Bytes come in time for every single read, also on a machine that is busy.
    monkeypatch.setattr(socket, "create_connection", lambda address, _: connect(address, 60))

    def drip():
        connection, _ = listening.accept()
        for _ in range(100):
            if over.wait(0.05):
                break
            try:
                connection.sendall(b"H")
            except OSError:
                return
        connection.close()

    threading.Thread(target=drip, daemon=True).start()
    answer = sending.post(f"http://localhost:{listening.getsockname()[1]}/", "{}", {}, deadline=0.5)
    over.set()
    listening.close()
    assert (answer.status, answer.text) == (0, "no answer within 0.5 seconds")


def test_only_the_start_of_an_answer_is_read(monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_WEBHOOKS_LOCALHOST", "true")
    listening = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listening.accept()
        got = b""
        while not got.endswith(b"{}"):
            got += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
        connection.close()

    threading.Thread(target=answer, daemon=True).start()
    got = sending.post(f"http://localhost:{listening.getsockname()[1]}/", "{}", {})
    listening.close()
    assert (got.status, got.text) == (200, "x" * sending.ANSWER_LIMIT)


def test_kms_opens_a_secret_in_its_context_alone(monkeypatch):
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws

    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("IDENTITY_OS_WEBHOOK_KEY", boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
        sealing._kms.cache_clear()
        sealing.unseal.cache_clear()
        secret = sealing.new_secret()
        sealed = sealing.seal(secret, "acct_1", "hook_1")
        assert sealing.unseal(sealed, "acct_1", "hook_1") == secret
        with pytest.raises(ClientError):
            sealing.unseal(sealed, "acct_1", "hook_2")
    sealing._kms.cache_clear()


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path, monkeypatch):
    file = tmp_path / "folder" / "secret"
    monkeypatch.setenv("IDENTITY_OS_SECRET_FILE", str(file))
    sealed = sealing.seal("whsec_1", "a", "h")
    assert file.stat().st_mode & 0o777 == 0o600
    sealing._cipher_of.cache_clear()
    sealing.unseal.cache_clear()
    assert sealing.unseal(sealed, "a", "h") == "whsec_1"
    assert [each.name for each in file.parent.iterdir()] == ["secret"]


def test_without_a_key_nothing_is_stored_in_the_open(monkeypatch):
    monkeypatch.delenv("IDENTITY_OS_SECRET_FILE", raising=False)
    with pytest.raises(sealing.NoKey):
        sealing.seal("whsec_1", "a", "h")
