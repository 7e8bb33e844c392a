# Ruby and its gems. An environment has the gems of its packages and of all that
# they need where RubyGems and Bundler look for installed ones.
{ lib, lock, groups, closureOf, runCommand, bash, ... }:
let
  base = groups.ruby33;
  version = lib.head (lib.splitString "-" lock.groups.ruby33.version);
  api = "${lib.versions.majorMinor version}.0";

  packages = lib.mapAttrs (pname: group: groups.${group} // { inherit pname group; inherit (lock.groups.${group}) version; }) lock.languages.ruby;

  environment = chosen: runCommand "ruby-${version}-env"
    {
      meta.mainProgram = "ruby";
      inherit base api;
      shell = "${bash}/bin/bash";
      packages = map (g: groups.${g}) (lib.unique (lib.concatMap (p: [ p.group ] ++ lib.filter (g: g != "ruby33") (closureOf p.group)) chosen));
      settings = ../build/ruby-env.rb;
    } ''
    gems= vendor=
    mkdir -p $out/bin $out/lib/ruby/boot/rubygems/defaults
    for package in $packages; do
      for from in share/rubygems-integration/all share/rubygems-integration/$api lib/x86_64-linux-gnu/rubygems-integration/$api lib/ruby/gems/$api; do
        [ ! -d $package/$from ] || gems+=\"$package/$from\",
      done
      for from in lib/ruby/vendor_ruby lib/x86_64-linux-gnu/ruby/vendor_ruby/$api; do
        [ ! -d $package/$from ] || vendor+=\"$package/$from\",
      done
    done
    substitute $settings $out/lib/ruby/boot/rubygems/defaults/operating_system.rb --subst-var out --subst-var base --subst-var-by gems "$gems" --subst-var-by vendor "$vendor"
    printf '#!%s\nexport RUBYLIB=%s''${RUBYLIB:+:$RUBYLIB}\nexec %s/bin/ruby "$@"\n' $shell $out/lib/ruby/boot $base > $out/bin/ruby
    chmod +x $out/bin/ruby
    for program in $base/bin/* $(find $packages -path '*/bin/*' -type f); do
      name=$out/bin/''${program##*/}
      [ ! -e $name ] || continue
      if head -n 1 $program | grep -aq ruby; then
        { echo "#!$out/bin/ruby"; tail -n +2 $program; } > $name
        chmod +x $name
      fi
    done
  '';
  gemPath = "lib/ruby/gems/${api}";

  ruby = base // {
    pname = "ruby";
    version = { inherit (lib.versions) major; __toString = _: version; libDir = api; majMinTiny = version; };
    meta.mainProgram = "ruby";
    inherit gemPath;
    libPath = "lib/ruby/${api}";
    rubyEngine = "ruby";
    devEnv = ruby;
    gems = packages;
    passthru = { };
    withPackages = choose: environment (choose packages);
  };
in
{
  inherit ruby;
  ruby_3_3 = ruby;
  rubyPackages = packages;
  rubyPackages_3_3 = packages;
  bundler = ruby // { pname = "bundler"; meta.mainProgram = "bundle"; };
}
