# Unpacks Node ($node) and its npm ($npm), npm packages both; part dev is the
# headers.
set -eu
export PATH=$stage0/bin
umask 022
mkdir -p "$out"
cd "$NIX_BUILD_TOP"
tar xzf "$node" -o # busybox' tar finds no folder that has no entry of its own
if [ "$part" = dev ]; then
  mkdir "$out/nix-support"
  mv package/include "$out/"
  echo "$main" > "$out/nix-support/propagated-build-inputs"
  exit
fi
modules=$out/lib/node_modules
mkdir -p "$modules/npm"
mv package/bin package/LICENSE "$out/"
tar xzf "$npm" -o --strip-components=1 -C "$modules/npm"
chmod -R u+w "$out"
chmod +x "$out/bin/node"
"$patchelf" --set-interpreter "$interpreter" --set-rpath "$search" "$out/bin/node"
rm -rf "$modules/npm/man" "$modules/npm/docs"
cd "$modules/npm"
grep -rlE '^#! ?/usr/bin/env node' . | while read -r file; do
  sed -i "1s|.*|#!$out/bin/node|" "$file"
done
grep -rlE '^#! ?(/usr/bin/env (sh|bash)|/bin/(sh|bash))' . | while read -r file; do
  sed -i "1s|.*|#!$shell|" "$file"
done
chmod +x bin/npm-cli.js bin/npx-cli.js
find . -path '*node-gyp-bin/*' -type f -exec chmod +x {} +
chmod +x node_modules/node-gyp/bin/node-gyp.js node_modules/node-gyp/gyp/gyp_main.py
for tool in npm npx; do ln -s "../lib/node_modules/npm/bin/$tool-cli.js" "$out/bin/$tool"; done
