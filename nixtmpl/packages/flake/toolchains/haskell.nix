# GHC and its libraries. A compiler with packages is the same one with another
# folder for its package database.
{ lib, lock, groups, closureOf, hookFor, runCommand, bash, ... }:
let
  version = lib.head (lib.splitString "-" lock.groups.ghc96.version);
  library = pname: group: groups.${group} // { inherit pname group; inherit (lock.groups.${group}) version; };
  libraries = lib.mapAttrs library lock.languages.haskell;
  compiler = chosen: runCommand "ghc-${version}${lib.optionalString (chosen != [ ]) "-with-packages"}"
    {
      pname = "ghc";
      inherit version;
      meta.mainProgram = "ghc";
      base = groups.ghc96;
      packages = map (g: groups.${g}) (lib.unique (lib.concatMap (p: [ p.group ] ++ lib.filter (lib.hasPrefix "libghc-") (closureOf p.group)) chosen));
      hook = hookFor "ghc" (lib.unique (lib.filter (g: !(lib.hasPrefix "libghc-" g) && g != "libc6-dev" && (lib.hasSuffix "-dev" g || g == "zlib1g")) (lib.concatMap closureOf ([ "ghc96" ] ++ map (p: p.group) chosen))));
      shell = "${bash}/bin/bash";
    } ''
    top=$out/lib/ghc
    mkdir -p $out/bin $top $out/nix-support
    ln -s $base/lib/ghc/lib/* $top/
    rm $top/package.conf.d
    mkdir $top/package.conf.d
    cp $base/lib/ghc/lib/package.conf.d/*.conf $top/package.conf.d/
    for package in $packages; do cp -n $package/lib/haskell-packages/package.conf.d/*.conf $top/package.conf.d/; done
    $base/lib/ghc/bin/ghc-pkg --global-package-db=$top/package.conf.d recache
    wrap() {
      printf '#!%s\nexec %s/lib/ghc/bin/%s "$@"\n' $shell $base "$2" > $out/bin/$1
      chmod +x $out/bin/$1
      ln -s $1 $out/bin/$1-${version}
    }
    wrap ghc "ghc-${version} -B$top"
    wrap ghc-pkg "ghc-pkg-${version} --global-package-db=$top/package.conf.d"
    wrap runghc "runghc-${version} -f $out/bin/ghc"
    wrap haddock "haddock -B$top -l$top"
    wrap hsc2hs "hsc2hs --template=$top/template-hsc.h"
    wrap hpc hpc
    printf '#!%s\nexec %s/bin/ghc --interactive "$@"\n' $shell $out > $out/bin/ghci
    chmod +x $out/bin/ghci
    ln -s runghc $out/bin/runhaskell
    echo $hook $(cat $hook/nix-support/more-inputs) > $out/nix-support/propagated-build-inputs
  '';
  ghc = compiler [ ];
  cabal-install = runCommand "cabal-install-${lock.groups.cabal-install.version}" { pname = "cabal-install"; inherit (lock.groups.cabal-install) version; meta.mainProgram = "cabal"; from = groups.cabal-install; } ''
    mkdir -p $out/bin
    ln -s $from/bin/cabal $out/bin/
  '';
  haskellPackages = libraries // {
    inherit ghc cabal-install;
    ghcWithPackages = choose: compiler (choose libraries);
    ghcWithHoogle = choose: compiler (choose libraries);
  };
in
{
  inherit ghc cabal-install haskellPackages;
  haskell = { packages.ghc96 = haskellPackages; packages.ghc966 = haskellPackages; compiler.ghc96 = ghc; };
}
