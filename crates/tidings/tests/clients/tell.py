"""One line for each thing that the library calls a message."""

import json


def tell(event, data, id, retry):
    retry = int(retry) if retry else None
    message = {"event": event, "data": data, "id": id or "", "retry": retry}
    print(json.dumps(message), flush=True)
