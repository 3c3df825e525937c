"""people ◆ Tokens: what a program shows to act as somebody, and what we keep of it. Pure: chance is an argument.

A token is "kt_" and 32 small base32 letters: 160 bits, so nobody finds one by trying, one fast hash without salt hides
it well (docs/decisions/0005), and whoever finds the prefix in a file or a log knows what they found.
"""

import base64
import hashlib

PREFIX = "kt_"
#: bytes of chance in a token
CHANCE = 20


def token_of(chance: bytes) -> str:
    """The token made of `CHANCE` random bytes: 35 characters. Shown once, never kept."""
    return PREFIX + base64.b32encode(chance).decode().lower()


def hash_of(token: str) -> str:
    """What we keep: SHA-256 of what was shown, whatever it is, lower-case hex."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
