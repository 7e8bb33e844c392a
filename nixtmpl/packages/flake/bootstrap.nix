# From pinned files to relocated Debian packages.
#
#   stage0    busybox, static: unpacks a .deb
#   stage1    patchelf and xz as Debian ships them, called through their own ld.so
#   groups    one store path per Debian package, or per group that cannot be apart
{ lib, lock, config, system }:
rec {
  # A fixed output that nix fetches by itself if nobody has added it before.
  fetch = { name, url, hash ? null, sha256 ? null, executable ? false }: derivation ({
    inherit name url executable system;
    urls = [ url ];
    builder = "builtin:fetchurl";
    unpack = false;
    outputHashMode = if executable then "recursive" else "flat";
    preferLocalBuild = true;
    impureEnvVars = lib.fetchers.proxyImpureEnvVars;
  } // (if sha256 != null then { outputHashAlgo = "sha256"; outputHash = sha256; } else { outputHashAlgo = null; outputHash = hash; }));

  fetchDeb = deb: fetch {
    name = deb.file or (lib.replaceStrings [ "~" ] [ "_" ] (baseNameOf deb.path));
    url = config.${deb.archive} + deb.path;
    inherit (deb) sha256;
  };

  # Stage 0 is a folder, which builtin:fetchurl cannot make: it must have been
  # added to the store.
  stage0 = derivation {
    name = "stage0";
    inherit system;
    builder = "/bin/false";
    outputHashMode = "recursive";
    outputHashAlgo = null;
    outputHash = lock.stage0.hash;
  };

  relocate = attributes: derivation ({
    inherit system stage0;
    builder = "${stage0}/bin/sh";
    args = [ ./build/relocate.sh ];
  } // attributes);

  stage1 = relocate {
    name = "stage1";
    debs = map fetchDeb (lib.concatMap (g: lock.groups.${g}.debs) [ "glibc" "libstdc++6" "liblzma5" "xz-utils" ] ++ [ lock.patchelf ]);
    deps = [ ];
    finish = ''
      mkdir wrapped
      for tool in patchelf xz; do
        printf '#!%s/bin/sh\nexec %s/lib64/ld-linux-x86-64.so.2 --library-path %s/lib/x86_64-linux-gnu %s/bin/%s "$@"\n' \
          "$stage0" "$out" "$out" "$out" $tool > wrapped/$tool
        chmod +x wrapped/$tool
      done
    '';
  };
  patchelf = "${stage1}/wrapped/patchelf";

  # The group that has a Debian package.
  groupOf = name:
    if lock.groups ? ${name} then name
    else lib.head (lib.filter (g: lib.any (deb: deb.name == name) lock.groups.${g}.debs) (lib.attrNames lock.groups));

  # The groups that a group needs, direct ones first, without itself.
  closureOf = name:
    let visit = seen: n: if lib.elem n seen then seen else lib.foldl' visit (seen ++ [ n ]) lock.groups.${n}.deps;
    in lib.tail (visit [ ] name);

  fixups = import ./fixups.nix { inherit lib; };
  isPython = name: lib.hasPrefix "python3-" name || lib.elem name (lib.attrValues lock.languages.python);
  interpreter = "${groups.glibc}/lib64/ld-linux-x86-64.so.2";
  withoutShell = [ "glibc" "bash" ] ++ closureOf "bash"; # bash itself would need them

  relocateGroup = name: { only ? (_: true), ... }@attributes:
    let group = lock.groups.${name}; in
    relocate ({
      name = "${lib.replaceStrings [ "++" ] [ "xx" ] name}-${group.version}";
      debs = map fetchDeb (lib.filter only group.debs);
      deps = map (d: groups.${d}) (closureOf name);
      tools = "${stage1}/wrapped";
      patchelf = "${stage1}/lib64/ld-linux-x86-64.so.2 --library-path ${stage1}/lib/x86_64-linux-gnu ${stage1}/bin/patchelf";
      finish = (fixups.${name} or (fixups.byKind name)) + lib.optionalString (isPython name) fixups.ofPython;
    }
    // lib.optionalAttrs (name != "glibc") { inherit interpreter; }
    // lib.optionalAttrs (!(lib.elem name withoutShell)) { shell = "${groups.bash}/bin/bash"; }
    // removeAttrs attributes [ "only" ]);

  groups = lib.mapAttrs (name: _: relocateGroup name { }) lock.groups;
}
