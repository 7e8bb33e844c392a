#!@shell@
# Tells Debian's compiler where the C library is, and gives programs and
# libraries the search path of it and of the build's inputs.
link=(-Wl,-dynamic-linker,@interpreter@ -Wl,-rpath,@libc@/lib/x86_64-linux-gnu -Wl,-rpath,@libcxx@/lib/x86_64-linux-gnu)
for flag in ${NIX_LDFLAGS:-}; do link+=("-Wl,$flag"); done
for flag in "$@"; do
  case $flag in
  -c | -S | -E | -M | -MM | -fsyntax-only) link=() ;;
  -static) link=("-L@libcDev@/lib/x86_64-linux-gnu") ;;
  esac
done
exec @compiler@/bin/@program@ -B@out@/bin -B@libcDev@/lib/x86_64-linux-gnu \
  -idirafter @libcDev@/include -idirafter @libcDev@/include/x86_64-linux-gnu ${NIX_CFLAGS_COMPILE:-} \
  "$@" -L@libcDev@/lib/x86_64-linux-gnu -L@libc@/lib/x86_64-linux-gnu -L@libcxx@/lib/x86_64-linux-gnu "${link[@]}"
