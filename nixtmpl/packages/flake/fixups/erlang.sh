# The programs find the tree by where Debian has it.
for script in lib/erlang/bin/erl lib/erlang/bin/start lib/erlang/erts-*/bin/erl lib/erlang/erts-*/bin/start; do
  [ ! -f "$script" ] || sed -i "s|/usr/lib/erlang|$out/lib/erlang|g" "$script"
done
