# The servers of databases, with their programs where nixpkgs has them.
{ lib, lock, groups, runCommand, ... }:
let
  linked = { pname, group, from, mainProgram, extra ? "" }: runCommand "${pname}-${upstream group}"
    {
      inherit pname from;
      version = upstream group;
      meta = { inherit mainProgram; };
    } ''
    mkdir -p $out/bin
    ln -s $from/* $out/bin/
    ${extra}
  '';
  upstream = group: lib.head (lib.splitString "-" (lib.head (lib.splitString "+" lock.groups.${group}.version)));
in
rec {
  postgresql = postgresql_17;
  postgresql_17 = linked { pname = "postgresql"; group = "postgresql17"; from = "${groups.postgresql17}/lib/postgresql/17/bin"; mainProgram = "psql"; };

  # One program that does what it is called by.
  valkey = linked {
    pname = "valkey"; group = "valkey-tools"; from = "${groups.valkey-tools}/bin"; mainProgram = "valkey-cli";
    extra = "[ -e $out/bin/valkey-server ] || ln -s $from/valkey-check-rdb $out/bin/valkey-server";
  };
}
