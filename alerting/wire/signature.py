"""How a webhook is signed, so that a server knows who sent it, when, and that it is whole.

Signed is `TIMESTAMP`, newline, `METHOD`, newline, `TARGET`, newline, then the body's bytes: the
timestamp in whole seconds since the epoch as it stands in its header, the method in capitals, the
target as it stands in the request line (path with query, percent-encoded). The signature header
is `v1=` and the HMAC-SHA256 of that in lower-case hexadecimal.
"""

import hmac

from alerting.wire.request import Request


def sign(secret: bytes, timestamp_s: int, request: Request) -> str:
    """The value of the signature header."""
    told = f"{timestamp_s}\n{request.method}\n{request.target}\n".encode() + request.body
    return "v1=" + hmac.new(secret, told, "sha256").hexdigest()
