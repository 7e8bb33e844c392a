# Build systems, with the phases that nixpkgs' ones bring along.
{ lib, lock, groups, runCommand, python3, ... }:
let
  tool = { pname, group, programs ? [ pname ], from ? groups.${group}, hook ? null }: runCommand "${pname}-${lock.groups.${group}.version}"
    {
      inherit pname programs from hook;
      inherit (lock.groups.${group}) version;
      meta.mainProgram = pname;
    } ''
    mkdir -p $out/bin
    for program in $programs; do ln -s $from/bin/$program $out/bin/; done
    if [ -n "$hook" ]; then
      mkdir $out/nix-support
      cp $hook $out/nix-support/setup-hook
    fi
  '';
in
{
  cmake = tool { pname = "cmake"; group = "cmake"; programs = [ "cmake" "ctest" "cpack" ]; hook = ../hooks/cmake.sh; };
  ninja = tool { pname = "ninja"; group = "ninja-build"; hook = ../hooks/ninja.sh; };
  meson = tool { pname = "meson"; group = "meson"; from = python3.withPackages (_: [{ group = "meson"; }]); hook = ../hooks/meson.sh; };
}
