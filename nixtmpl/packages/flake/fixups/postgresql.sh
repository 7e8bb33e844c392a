# What compiles queries to machine code needs LLVM, which is larger than all the rest.
rm -rf lib/postgresql/*/lib/llvmjit* lib/postgresql/*/lib/bitcode
# The folder of the time zones, as in php.sh: a wrapper opens the real one under this number.
zones=$(look /usr/share/zoneinfo)
for program in lib/postgresql/*/bin/postgres lib/postgresql/*/bin/initdb; do
  strings -t d -n 19 "$program" | grep ' /usr/share/zoneinfo$' | while read -r at text; do
    printf '/proc/self/fd/201//' | dd of="$program" bs=1 seek="$at" conv=notrunc 2>/dev/null
  done
  [ -z "$(strings "$program" | grep -x /usr/share/zoneinfo)" ]
  real=${program%/*}/.${program##*/}
  mv "$program" "$real"
  printf '#!%s\nexec 201< %s\nexec %s "$@"\n' "$shell" "$zones" "$out/$real" > "$program"
  chmod +x "$program"
done
