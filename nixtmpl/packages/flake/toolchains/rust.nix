# Rust as Debian ships it: one release for all, and a newer one that browsers
# need. Their compiler finds its libraries beside itself; it links by cc.
{ lib, lock, groups, runCommand, ... }:
let
  # "1.85.1+dfsg1-1" → "1.85.1"
  versionOf = group: lib.head (lib.splitString "+" lock.groups.${group}.version);
  # Only the programs: what a build finds in lib would be named in the program.
  tool = group: name: runCommand "${name}-${versionOf group}" { pname = name; version = versionOf group; meta.mainProgram = name; from = groups.${group}; } ''
    mkdir -p $out/bin
    ln -s $from/bin/${name} $out/bin/
    ${lib.optionalString (name == "rustc") "ln -s $from/bin/rustdoc $out/bin/"}
  '';
  both = group: { rustc = tool group "rustc"; cargo = tool group "cargo"; };
  all = { rust_1_85 = both "rust185"; rust_1_96 = both "rust196"; };
  newest = lib.foldl' (a: b: if lib.versionOlder a.rustc.version b.rustc.version then b else a) all.rust_1_85 (lib.attrValues all);
in
newest // lib.mapAttrs (_: pair: pair // { packages.stable = pair; }) all
