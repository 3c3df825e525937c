"""tickets: tells an agency by a signed HTTP POST, as https://www.standardwebhooks.com describes it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

#: connecting included; a slow agency costs this and no more
TIME_LIMIT_S = 10


class Misconfigured(Exception):
    """The agency's address or secret cannot be used; an admin must mend it."""


async def post(
    http: aiohttp.ClientSession, url: str, secret: str, key: str, body: Mapping[str, Any], now: datetime
) -> int:
    """The HTTP status. `key` is the webhook-id. Follows no redirect, reads no answer.

    Raises Misconfigured, aiohttp.ClientError, TimeoutError.
    """
    text = json.dumps(body, ensure_ascii=False)
    moment = now.astimezone(UTC)  # the library takes any zone for UTC
    try:
        signature = Webhook(secret).sign(key, moment, text)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise Misconfigured(f"the signing secret is not whsec_ and base64: {error}") from error
    headers = {
        "content-type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }
    limit = aiohttp.ClientTimeout(total=TIME_LIMIT_S)
    try:
        async with http.post(
            url, data=text.encode(), headers=headers, allow_redirects=False, timeout=limit
        ) as answer:
            return answer.status
    except ValueError as error:  # aiohttp's InvalidURL, or a host name that no DNS could hold (UnicodeError)
        raise Misconfigured(f"not an address to post to: {url}") from error
