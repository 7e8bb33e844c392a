# The package database is below /var, and relocation takes that away.
if [ -d lib/ghc/lib ]; then
  database=lib/ghc/lib/package.conf.d
  sed -i -e 's|x86_64-linux-gnu-\([a-z+]*\)|\1|g' lib/ghc/lib/settings
  find bin -type f | while read -r wrapper; do
    sed -i -e "1s|.*|#!$shell|" -e "s|\"/usr/bin\"|\"$out/bin\"|" -e "s|/usr/lib/ghc|$out/lib/ghc|g" -e "s|/usr/share|$out/share|g" -e "s|/usr/include|$out/include|g" "$wrapper"
  done
else
  database=lib/haskell-packages/package.conf.d
fi
mkdir -p "$database" "$NIX_BUILD_TOP/var"
for deb in $debs; do
  ar p "$deb" data.tar.xz | xz -dc | tar x -o -C "$NIX_BUILD_TOP/var"
done
find "$NIX_BUILD_TOP/var/var/lib/ghc" -name '*.conf' | while read -r conf; do
  sed -e "s|/usr/lib/ghc|$out/lib/ghc|g" -e "s|/usr/lib/haskell-packages|$out/lib/haskell-packages|g" -e "s|/usr/share|$out/share|g" "$conf" > "$database/${conf##*/}"
done
