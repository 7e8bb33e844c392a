# Unpacks a toolchain of Go's module proxy: $zip with everything below one folder
# and without execute bits.
set -eu
export PATH=$stage0/bin
umask 022
mkdir -p "$out/bin" "$out/share"
cd "$NIX_BUILD_TOP"
unzip -q "$zip"
mv golang.org/toolchain@* "$out/share/go"
cd "$out/share/go"
chmod -R u+w .
chmod +x bin/*
find pkg/tool -type f -exec chmod +x {} +
rm -rf test doc api
ln -s ../share/go/bin/go ../share/go/bin/gofmt "$out/bin/"
