# Debian's Python with its packages. An environment is a copy of the interpreter,
# which finds its prefix by its own real path, with links to everything else.
{ lib, lock, groups, closureOf, runCommand, ... }:
let
  inherit (lock.groups.python313) version;
  base = groups.python313;
  sitePackages = "lib/python3/dist-packages";

  python3Packages = lib.mapAttrs
    (pname: group: groups.${group} // { inherit pname group; inherit (lock.groups.${group}) version; meta.mainProgram = pname; })
    lock.languages.python // { inherit python3; python = python3; };

  # Packages that need others: Debian's dependencies tell.
  environment = packages: runCommand "python3-${version}-env"
    {
      meta.mainProgram = "python3";
      packages = map (g: groups.${g}) (lib.unique (lib.concatMap (p: [ p.group ] ++ lib.filter (g: g != "python313") (closureOf p.group)) packages));
    } ''
    mkdir -p $out/bin $out/${sitePackages}
    cp ${base}/bin/python3.13 $out/bin/
    ln -s python3.13 $out/bin/python3
    ln -s python3.13 $out/bin/python
    ln -s ${base}/lib/python3.13 $out/lib/python3.13
    for package in $packages; do
      [ -d $package/${sitePackages} ] || [ -n "$(grep -l python3 $package/bin/* 2>/dev/null)" ] || continue
      for file in $package/${sitePackages}/*; do
        name=$out/${sitePackages}/''${file##*/}
        if [ ''${file##*/} = __pycache__ ]; then # of modules that are one file
          mkdir -p $name
          ln -sf $file/* $name/
          continue
        fi
        [ ! -e $file ] || [ -e $name ] || ln -s $file $name
      done
      for file in $package/bin/*; do
        name=$out/bin/''${file##*/}
        [ -f $file ] && [ ! -e $name ] || continue
        if head -n 1 $file | grep -aq python3; then
          { echo "#!$out/bin/python3"; tail -n +2 $file; } > $name
          chmod +x $name
        else
          ln -s $file $name
        fi
      done
    done
  '';

  python3 = base // {
    pname = "python3";
    inherit version sitePackages;
    meta.mainProgram = "python3";
    pythonVersion = "3.13";
    interpreter = "${base}/bin/python3";
    executable = "python3.13";
    pkgs = python3Packages;
    passthru = { };
    withPackages = choose: environment (choose python3Packages);
  };
in
{
  inherit python3 python3Packages;
  python = python3;
  python313 = python3;
  python313Packages = python3Packages;
  inherit (python3Packages) gunicorn;
}
