# R and its packages. An environment is a wrapper that names the folders of its
# packages.
{ lib, lock, groups, closureOf, runCommand, bash, ... }:
let
  version = lib.head (lib.splitString "-" lock.groups.r45.version);
  attribute = lib.replaceStrings [ "." ] [ "_" ];
  rPackages = lib.mapAttrs' (name: group: lib.nameValuePair (attribute name) (groups.${group} // { pname = name; inherit group; inherit (lock.groups.${group}) version; }))
    lock.languages.r;

  environment = { packages ? [ ] }: runCommand "R-${version}${lib.optionalString (packages != [ ]) "-wrapper"}"
    {
      pname = "R";
      inherit version;
      meta.mainProgram = "R";
      from = groups.r45;
      shell = "${bash}/bin/bash";
      libraries = lib.concatMapStringsSep ":" (g: "${groups.${g}}/lib/R/site-library")
        (lib.unique (lib.concatMap (p: [ p.group ] ++ lib.filter (lib.hasPrefix "r-cran-") (closureOf p.group)) packages));
    } ''
    mkdir -p $out/bin
    for program in R Rscript; do
      printf '#!%s\nexport RHOME=%s GCONV_PATH=%s R_LIBS_SITE=''${R_LIBS_SITE:+$R_LIBS_SITE:}%s\nexec %s "$@"\n' $shell $from/lib/R ${groups.glibc}/lib/x86_64-linux-gnu/gconv "$libraries" $from/lib/R/bin/$program > $out/bin/$program
      chmod +x $out/bin/$program
    done
  '';
in
{
  R = environment { };
  inherit rPackages;
  rWrapper = lib.makeOverridable environment { };
}
