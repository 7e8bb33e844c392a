# What a build links against: the libraries' own folders go into the search path
# of its programs, and at the end only those stay that a program needs.
export NIX_LDFLAGS="${NIX_LDFLAGS:-} @flags@"
if [ -z "${_shrinks:-}" ]; then
  _shrinks=1
  shrinkSearchPaths() {
    local output program
    for output in ${outputs:-out}; do
      [ -d "${!output}" ] || continue
      find "${!output}" -type f \( -perm -0100 -o -name '*.so*' \) -print0 | while IFS= read -r -d "" program; do
        [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        chmod u+w "$program"
        @patchelf@ --shrink-rpath "$program" 2>/dev/null || true
      done
    done
  }
  postFixupHooks+=(shrinkSearchPaths)
fi
