"""PyPI sseclient-py, on the standard library's HTTP."""

import sys
import time
import urllib.request

import sseclient

from tell import tell

last_id = ""
retry = 3000
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    response = opener.open(urllib.request.Request(sys.argv[1], headers=headers))
    for event in sseclient.SSEClient(response).events():
        tell(event.event, event.data, event.id, event.retry)
        last_id = event.id or last_id
        retry = int(event.retry or retry)
    time.sleep(retry / 1000)
