# Perl and its modules. An environment is a wrapper that names the folders of
# its modules after those of the user.
{ lib, lock, groups, closureOf, runCommand, bash, ... }:
let
  base = groups.perl5;
  version = lib.head (lib.splitString "-" lock.groups.perl5.version);
  attribute = lib.replaceStrings [ "::" "-" ] [ "" "" ];
  modules = lib.mapAttrs' (name: group: lib.nameValuePair (attribute name) (groups.${group} // { pname = "perl${version}-${lib.replaceStrings [ "::" ] [ "-" ] name}"; inherit group; inherit (lock.groups.${group}) version; }))
    lock.languages.perl;

  environment = chosen: runCommand "perl-${version}${lib.optionalString (chosen != [ ]) "-env"}"
    {
      meta.mainProgram = "perl";
      inherit base;
      shell = "${bash}/bin/bash";
      packages = map (g: groups.${g}) (lib.unique (lib.concatMap (p: [ p.group ] ++ lib.filter (g: g != "perl5") (closureOf p.group)) chosen));
    } ''
    mkdir -p $out/bin $out/lib/perl5
    for package in $packages; do
      for from in share/perl5 lib/x86_64-linux-gnu/perl5/5.*; do
        [ ! -d $package/$from ] || cp -rsn --no-preserve=mode $package/$from/. $out/lib/perl5/
      done
    done
    printf '#!%s\nexport PERL_WRAPPER=%s\ncase $PERL5LIB in *%s:*) ;; *) export PERL5LIB=''${PERL5LIB:+$PERL5LIB:}%s ;; esac\nexec %s/bin/perl "$@"\n' $shell $out/bin/perl $out/lib/perl5 $out/lib/perl5 $base > $out/bin/perl
    chmod +x $out/bin/perl
    for program in $base/bin/* $(find $packages -path '*/bin/*' -type f); do
      name=$out/bin/''${program##*/}
      if [ ! -e $name ] && head -n 1 $program | grep -aq '^#!.*perl'; then
        { echo "#!$out/bin/perl"; tail -n +2 $program; } > $name
        chmod +x $name
      fi
    done
  '';
  make = chosen: environment chosen // {
    pname = "perl";
    inherit version;
    libPrefix = "lib/perl5";
    pkgs = modules // { inherit perl; };
    passthru = { };
    withPackages = choose: make (choose (modules // { inherit perl; }));
  };
  perl = make [ ];
in
{
  inherit perl;
  perl540 = perl;
  perlPackages = modules // { inherit perl; };
  perl540Packages = modules // { inherit perl; };
}
