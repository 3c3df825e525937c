"""web: /docs, the API's description as a page to read and to try, without the internet: Swagger UI out of a package.

The only page of ours with a script, and so the only one whose policy allows one: that of the package, and ours below.
"""

import base64
import hashlib
from importlib import resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

_SCRIPT = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#manual", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis]
})"""
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kentongan: API</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="manual"></div><script src="/docs/swagger-ui-bundle.js"></script><script>{_SCRIPT}</script></body></html>
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_HASH}'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'")


def router() -> APIRouter:
    """/docs and its two assets. No data in them: nobody needs a token."""
    routes = APIRouter(prefix="/docs", include_in_schema=False)
    assets = Path(str(resources.files("fastapi_swagger.resources")))

    @routes.get("")
    async def manual() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    @routes.get("/swagger-ui-bundle.js")
    async def script() -> FileResponse:
        return FileResponse(assets / "swagger-ui-bundle.js")

    @routes.get("/swagger-ui.css")
    async def style() -> FileResponse:
        return FileResponse(assets / "swagger-ui.css")

    return routes
