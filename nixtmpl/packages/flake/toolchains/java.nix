# OpenJDK without a screen, and the build tools. A run-time environment is made
# of the first half of the same Debian packages; jre_minimal is made by jlink.
{ lib, lock, groups, closureOf, relocateGroup, patchelf, interpreter, runCommand, bash, ... }:
let
  versionOf = group: lib.head (lib.splitString "+" lock.groups.${group}.version);
  make = major:
    let
      group = "jdk${major}";
      version = versionOf group;
      attributes = drv: drv // { pname = "openjdk"; inherit version; meta.mainProgram = "java"; home = "${drv}/lib/openjdk"; passthru = { inherit jre; }; };
      jre = attributes (relocateGroup group {
        name = "jre${major}-${version}";
        only = deb: lib.hasInfix "-jre-" deb.name;
        authorities = "${groups.${group}}/lib/openjdk/lib/security/cacerts";
      });
      jdk = attributes groups.${group} // { inherit jre; };
      # jlink takes Debian's programs as they were, out of the jmods.
      minimal = lib.makeOverridable ({ jdk, modules }: attributes (runCommand "jre-minimal-${version}"
        {
          inherit jdk patchelf interpreter;
          modules = lib.concatStringsSep "," modules;
          folders = map (g: "${groups.${g}}/lib/x86_64-linux-gnu") (closureOf group);
        } ''
        mkdir -p $out/lib
        $jdk/bin/jlink --module-path $jdk/lib/openjdk/jmods --add-modules $modules --no-header-files --no-man-pages --output $out/lib/openjdk
        ln -s lib/openjdk/bin $out/bin
        find $out -name cacerts -exec cp --remove-destination $jdk/lib/openjdk/lib/security/cacerts {} \;
        home=$out/lib/openjdk
        find $home -type f \( -perm -100 -o -name '*.so' \) | while read -r program; do
          needed=$($patchelf --print-needed $program 2>/dev/null) || continue
          chmod u+w $program
          search=
          for library in $needed; do
            for folder in $home/lib $home/lib/server $folders; do
              [ -e $folder/$library ] || continue
              case :$search: in *:$folder:*) ;; *) search+=:$folder ;; esac
              break
            done
          done
          $patchelf --set-rpath ''${search#:} $program
          case $program in *.so) ;; *) $patchelf --set-interpreter $interpreter $program ;; esac
        done
      '')) { inherit jdk; modules = [ "java.base" ]; };
    in
    {
      "jdk${major}" = jdk;
      "jdk${major}_headless" = jdk;
      "openjdk${major}" = jdk;
      "openjdk${major}_headless" = jdk;
      "jre${major}" = jre;
      "jre${major}_headless" = jre;
      "jre${major}_minimal" = minimal;
    };
  all = make "21" // make "25";

  # Debian's tools find their jars by links between packages: they must share
  # one folder.
  shared = group: attributes: runCommand "${group}-${lock.groups.${group}.version}"
    ({
      inherit group;
      package = groups.${group};
      packages = map (g: groups.${g}) (closureOf group);
      shell = "${bash}/bin/bash";
    } // attributes);
  gather = ''
    mkdir -p $out/share $out/bin
    for part in $package $packages; do
      for folder in java ant groovy gradle maven maven-repo; do
        [ ! -d $part/share/$folder ] || cp -rsn --no-preserve=mode $part/share/$folder $out/share/
      done
      # a link to a link of another package
      (cd $part && find share -type l) | while read -r link; do
        case $(readlink $part/$link) in /*) ;; *) [ ! -L $out/$link ] || cp -Pf $part/$link $out/$link ;; esac
      done
    done
  '';
  maven = lib.makeOverridable ({ jdk_headless }: shared "maven" { inherit jdk_headless; meta.mainProgram = "mvn"; pname = "maven"; inherit (lock.groups.maven) version; } (gather + ''
    home=$out/share/maven
    rm $home/bin/* $home/conf
    cp -L $package/share/maven/bin/* $home/bin/
    cp -rL $package/share/maven/conf $home/conf
    chmod -R u+w $home
    for tool in mvn mvnDebug; do
      printf '#!%s\nexport JAVA_HOME="''${JAVA_HOME-%s}"\nexec %s "$@"\n' $shell $jdk_headless/lib/openjdk $home/bin/$tool > $out/bin/$tool
      chmod +x $out/bin/$tool
    done
  '')) { jdk_headless = all.jdk21; };
  gradle = lib.makeOverridable ({ java }: shared "gradle" { inherit java; meta.mainProgram = "gradle"; pname = "gradle"; inherit (lock.groups.gradle) version; } (gather + ''
    home=$out/share/gradle
    rm $home/bin/gradle
    cp -L $package/share/gradle/bin/gradle $home/bin/
    printf '#!%s\nexport JAVA_HOME="''${JAVA_HOME-%s}"\nexec %s "$@"\n' $shell $java/lib/openjdk $home/bin/gradle > $out/bin/gradle
    chmod +x $out/bin/gradle
  '')) { java = all.jdk21; };
in
all // {
  jdk = all.jdk21;
  jdk_headless = all.jdk21;
  jre = all.jre21;
  jre_headless = all.jre21;
  jre_minimal = all.jre21_minimal;
  inherit maven gradle;
}
