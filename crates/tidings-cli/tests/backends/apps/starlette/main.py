import asyncio
import secrets

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.templating import Jinja2Templates

templates = Jinja2Templates("templates")
gone_on = asyncio.Event()
# What the tests ask for: how many event streams are open.
streams = 0


async def home(request):
    nonce = secrets.token_urlsafe(16)
    response = templates.TemplateResponse(request, "home.html", {"nonce": nonce})
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'; style-src 'self'"
    )
    return response


async def echo(websocket):
    await websocket.accept(subprotocol="shout" if "shout" in websocket.scope["subprotocols"] else None)
    async for message in websocket.iter_text():
        await websocket.send_text(message.upper())


async def events(request):
    """The application's own stream, at the path that `tidings serve` has for its own."""

    async def parts():
        global streams
        streams += 1
        try:
            yield "data: one\n\n"
            # Silent from here on: that the page has left can only be told by the connection.
            await asyncio.Event().wait()
        finally:
            streams -= 1

    return StreamingResponse(parts(), media_type="text/event-stream")


async def count(request):
    return PlainTextResponse(str(streams))


async def slow(request):
    gone_on.clear()

    async def parts():
        yield "<!doctype html><title>slow</title><p id=first>first</p>"
        await gone_on.wait()
        yield "<p id=rest>rest</p>"

    return StreamingResponse(parts(), media_type="text/html")


async def go_on(request):
    gone_on.set()
    return Response(status_code=204)


async def upload(request):
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return PlainTextResponse(str(size))


async def file(request):
    return FileResponse("numbers.txt")


async def fragment(request):
    return HTMLResponse("<p id=fragment>fragment</p>")


app = Starlette(
    routes=[
        Route("/", home),
        Route("/server-sent-events", events),
        Route("/streams", count),
        Route("/slow", slow),
        Route("/slow/go", go_on),
        Route("/upload", upload, methods=["PUT"]),
        Route("/numbers.txt", file),
        Route("/fragment", fragment),
        WebSocketRoute("/echo", echo),
    ]
)
