# Go as its authors ship it: zips of the module proxy. The programs are static,
# so the toolchain is one store path without references.
{ lib, lock, config, system, stage0, fetch, ... }:
let
  make = line: pin:
    let
      drv = derivation {
        name = "go-${pin.version}";
        inherit system stage0;
        zip = fetch { name = pin.file; url = config.go + pin.path; inherit (pin) sha256; };
        builder = "${stage0}/bin/sh";
        args = [ ../build/go.sh ];
      };
    in
    if pin.sha256 == "" then
      throw "go ${pin.version} is locked but was never fetched; run: hop3 packages prefetch go ${line}"
    else
      drv // {
        pname = "go";
        inherit (pin) version;
        meta.mainProgram = "go";
        passthru = { };
        GOOS = "linux";
        GOARCH = "amd64";
        CGO_ENABLED = 1;
      };
  attribute = line: "go_" + lib.replaceStrings [ "." ] [ "_" ] line;
  newest = lib.foldl' (a: b: if lib.versionOlder a b then b else a) "0" (lib.attrNames lock.go);
  all = lib.mapAttrs' (line: pin: lib.nameValuePair (attribute line) (make line pin)) lock.go;
in
all // { go = all.${attribute newest}; }
