# Node as its authors ship it, by way of its npm packages. Debian's own reads
# its built-in modules from /usr/share/nodejs and cannot be used in a sandbox.
{ lib, lock, config, system, stage0, fetch, groups, patchelf, interpreter, bash, python3, ... }:
let
  tarball = pin: fetch { name = pin.file; url = config.npm + pin.path; inherit (pin) hash; };
  make = line: pin:
    let
      common = {
        inherit system stage0;
        node = tarball pin.node;
        builder = "${stage0}/bin/sh";
        args = [ ../build/node.sh ];
      };
      dev = derivation (common // { name = "nodejs-${pin.node.version}-dev"; part = "dev"; main = nodejs; });
      drv = derivation (common // {
        name = "nodejs-${pin.node.version}";
        part = "out";
        npm = tarball pin.npm;
        inherit patchelf interpreter;
        shell = "${bash}/bin/bash";
        search = lib.concatMapStringsSep ":" (g: "${groups.${g}}/lib/x86_64-linux-gnu") [ "glibc" "libstdc++6" "libatomic1" ];
      });
      nodejs = drv // {
        pname = "nodejs";
        inherit (pin.node) version;
        inherit dev;
        python = python3;
        meta.mainProgram = "node";
        passthru.python = python3;
        npmVersion = pin.npm.version;
      };
    in
    nodejs;
  newest = lib.foldl' (a: b: if lib.versionOlder a b then b else a) "0" (lib.attrNames lock.node);
  all = lib.mapAttrs' (line: pin: lib.nameValuePair "nodejs_${line}" (make line pin)) lock.node;
in
all
// lib.mapAttrs' (name: lib.nameValuePair (lib.replaceStrings [ "nodejs_" ] [ "nodejs-slim_" ] name)) all
// rec { nodejs = all."nodejs_${newest}"; nodejs-slim = nodejs; }
