#!/usr/bin/env python3
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "hello from nix, version 1"


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (VERSION + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")))
ThreadingHTTPServer.request_queue_size = 128  # the 5 of Python are too few for a busy minute
ThreadingHTTPServer(address, Hello).serve_forever()
