"""An application whose behaviour is in files of its folder, read when it starts."""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = open("version").read().strip()


def until_there(path):
    while not os.path.exists(path):
        time.sleep(0.005)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/crash":
            os._exit(3)
        if path == "/health" and not os.path.exists(".healthy"):
            return self.answer(503, "not yet")
        if path == "/slow":
            print("slow", flush=True)
            until_there(".go")
        if path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"data: hello\n\n")
            until_there(".never")
        if path == "/socket":
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "echo")
            self.end_headers()
            self.close_connection = True
            while byte := self.rfile.read(1):
                self.wfile.write(byte)
            return
        self.answer(200, f"version {VERSION}")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


def told(number, _):
    print("got", signal.Signals(number).name, flush=True)
    if not os.path.exists(".stubborn"):
        os._exit(0)


signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, told)
if VERSION == "crash":
    print("about to crash", flush=True)
    sys.exit("cannot start: no such table")
if VERSION == "late":
    until_there(".start")
if VERSION == "elsewhere":
    until_there(".never")
port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])
server = Server(("127.0.0.1", port), Handler)
print("listening on", port, flush=True)
if VERSION == "unstable":
    threading.Timer(0.05, lambda: os._exit(7)).start()
server.serve_forever()
