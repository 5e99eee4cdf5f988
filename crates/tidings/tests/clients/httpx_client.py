"""PyPI httpx-sse: what most Python SDKs of AI services and of MCP read streams with."""

import sys
import time

import httpx
from httpx_sse import connect_sse

from tell import tell

last_id = ""
retry = 3000
with httpx.Client(timeout=None, trust_env=False) as client:
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
            for sse in source.iter_sse():
                tell(sse.event, sse.data, sse.id, sse.retry)
                last_id = sse.id or last_id
                retry = sse.retry or retry
        time.sleep(retry / 1000)
