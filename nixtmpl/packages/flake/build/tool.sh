# Unpacks an npm package ($package) that is one tool ($tool): a program, or
# scripts for $nodejs.
set -eu
export PATH=$stage0/bin
umask 022
mkdir -p "$out/bin"
cd "$NIX_BUILD_TOP"
tar xzf "$package" -o
folder=$(ls | grep -v '^env-vars$' | head -n 1) # package, in most of them
case $tool in
deno | bun)
  program=$(find "$folder" -type f -name "$tool" | head -n 1)
  cp "$program" "$out/bin/$tool"
  chmod 755 "$out/bin/$tool"
  "$patchelf" --set-interpreter "$interpreter" --set-rpath "$search" "$out/bin/$tool"
  [ "$tool" != bun ] || ln -s bun "$out/bin/bunx"
  exit ;;
esac
home=$out/libexec/$tool
mkdir -p "$out/libexec"
mv "$folder" "$home"
chmod -R u+w "$home"
link() {
  printf '#!%s\nexec %s/bin/node %s "$@"\n' "$shell" "$nodejs" "$home/bin/$2" > "$out/bin/$1"
  chmod +x "$out/bin/$1"
}
case $tool in
pnpm) link pnpm pnpm.cjs; link pnpx pnpx.cjs ;;
yarn) link yarn yarn.js; link yarnpkg yarn.js ;;
yarn-berry) link yarn yarn.js ;;
esac
