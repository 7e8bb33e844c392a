#!/usr/bin/env bash
# Makes a page and serves it: the shell and httpd come with every app of the shell stack.
set -euo pipefail

site=$(mktemp -d)
echo "hello from shell, version 1" > "$site/index.html"
exec httpd -f -p "$HOST:$PORT" -h "$site"
