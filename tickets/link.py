"""tickets ◆ The link by which an agency acknowledges: a token that nobody can guess, stored nowhere. Pure."""

import base64
import hashlib
import hmac


def token(secret: bytes, forwarding_id: int) -> str:
    """For an URL: the forwarding's id and its HMAC-SHA256, base64url, e.g. "17.Yf3…"."""
    return f"{forwarding_id}.{_seal(secret, str(forwarding_id))}"


def forwarding_of(secret: bytes, claimed: str) -> int | None:
    """The forwarding that the token was made for; None if it is not of our making. Constant time."""
    number, _, seal = claimed.partition(".")
    genuine = hmac.compare_digest(_seal(secret, number).encode(), seal.encode(errors="replace"))
    return int(number) if genuine else None


def _seal(secret: bytes, number: str) -> str:
    mac = hmac.new(secret, b"acknowledge " + number.encode(errors="replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
