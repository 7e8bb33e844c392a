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

  # Debian's tools find their jars by links between packages: they must share one folder. Links to other packages point into
  # it too, and a tool that looks for its home by the real path of its jars gets copies.
  closuresOf = roots: map (g: groups.${g}) (lib.unique (lib.concatMap (g: [ g ] ++ closureOf g) roots));
  gather = ''
    mkdir -p $out/share $out/bin
    for part in $packages; do
      for folder in $folders; do
        [ ! -d $part/share/$folder ] || cp -rsn --no-preserve=mode $part/share/$folder $out/share/
      done
      (cd $part && find share -type l) | while read -r link; do
        case $(readlink $part/$link) in /*) ;; *) [ ! -L $out/$link ] || cp -PfT $part/$link $out/$link ;; esac
      done
    done
    find $out/share -xtype l -delete
    # wrap NAME PROGRAM: the Java of the environment, else the tool's own
    wrap() {
      printf '#!%s\nexport JAVA_HOME="''${JAVA_HOME-%s}" PATH="''${JAVA_HOME-%s}/bin:$PATH"\n%sexec %s %s "$@"\n' $shell $jdk/lib/openjdk $jdk/lib/openjdk "$environment" $shell $2 > $out/bin/$1
      chmod +x $out/bin/$1
    }
  '';
  tool = pname: { roots ? [ pname ], folders ? [ "java" ], program ? pname, environment ? "" }: script: lib.makeOverridable
    ({ jdk, ... }: runCommand "${pname}-${lock.groups.${pname}.version}"
      {
        inherit pname jdk folders environment;
        inherit (lock.groups.${pname}) version;
        package = groups.${pname};
        packages = closuresOf roots;
        shell = "${bash}/bin/bash";
        meta.mainProgram = program;
      }
      (gather + script))
    { jdk = all.jdk21; };

  # Debian's Clojure libraries as a Maven repository: beside their own version most have one called debian, which the poms name.
  clojureRepository = runCommand "clojure-repository" { packages = closuresOf [ "clojure" "libring-core-clojure" "libring-jetty-adapter-clojure" "libcompojure-clojure" "leiningen" ]; folders = [ "java" "maven-repo" ]; } (gather + ''
    # Debian's poms ask for a Clojure of version debian, which it does not have.
    cd $out/share/maven-repo/org/clojure/clojure
    mkdir debian
    cp 1.x/clojure-1.x.jar debian/clojure-debian.jar
    sed 's|<version>1.x</version>|<version>debian</version>|' 1.x/clojure-1.x.pom > debian/clojure-debian.pom
  '');
  plugins = map (n: "libmaven-${n}-plugin-java") [ "clean" "resources" "compiler" "jar" "install" "deploy" "dependency" "shade" "assembly" ]
    ++ [ "libsurefire-java" "libgoogle-gson-java" "libjackson2-databind-java" "libslf4j-java" "libservlet-api-java" ];

  # Maven asks this repository first, then those of the project.
  maven = tool "maven" { roots = [ "maven" ] ++ plugins; folders = [ "java" "maven" "maven-repo" ]; program = "mvn"; } ''
    home=$out/share/maven
    rm -rf $home/bin/* $home/conf
    cp -L $package/share/maven/bin/* $home/bin/
    cp -rL $package/share/maven/conf $home/conf
    chmod -R u+w $home
    cat > $home/conf/settings.xml <<END
    <settings>
      <profiles><profile>
        <id>set</id>
        <repositories><repository><id>set</id><url>file://$out/share/maven-repo</url><releases><checksumPolicy>ignore</checksumPolicy></releases></repository></repositories>
        <pluginRepositories><pluginRepository><id>set</id><url>file://$out/share/maven-repo</url><releases><checksumPolicy>ignore</checksumPolicy></releases></pluginRepository></pluginRepositories>
      </profile></profiles>
      <activeProfiles><activeProfile>set</activeProfile></activeProfiles>
    </settings>
    END
    wrap mvn $home/bin/mvn
    wrap mvnDebug $home/bin/mvnDebug
  '';
  gradle = tool "gradle" { folders = [ "java" "ant" "groovy" "gradle" "maven" ]; } ''
    cp -rL $out/share/gradle $out/gradle
    cp -rL $out/share/java $out/java
    chmod -R u+w $out/gradle $out/java $out/share
    rm -rf $out/share
    cp -L $package/share/gradle/bin/gradle $out/gradle/bin/
    # Debian compiles two places in, as constants of classes: two bytes of length and the text.
    cat > Place.java <<'END'
    import java.nio.charset.StandardCharsets;
    import java.nio.file.*;
    class Place {
      public static void main(String[] a) throws Exception {
        try (var jar = FileSystems.newFileSystem(Path.of(a[0]))) {
          Path file = jar.getPath("org/gradle/internal/installation/" + a[1] + ".class");
          String text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
          if (!text.contains(constant(a[2]))) throw new Exception("no " + a[2]);
          Files.write(file, text.replace(constant(a[2]), constant(a[3])).getBytes(StandardCharsets.ISO_8859_1));
        }
      }
      static String constant(String s) { return "" + (char) 0 + (char) s.length() + s; }
    }
    END
    jar=$(echo $out/gradle/lib/gradle-core-api-[0-9]*.jar)
    $jdk/bin/java Place.java $jar CurrentGradleInstallationLocator /usr/share/gradle $out/gradle
    $jdk/bin/java Place.java $jar GradleInstallation /usr/share/java $out/java
    wrap gradle $out/gradle/bin/gradle
  '';
  kotlin = tool "kotlin" { folders = [ "java" "kotlin" ]; } ''
    cp -rL $out/share/kotlin/kotlinc $out/kotlinc
    chmod -R u+w $out/kotlinc
    cp -L $package/share/kotlin/kotlinc/bin/* $out/kotlinc/bin/
    rm -rf $out/share
    for name in kotlin kotlinc; do wrap $name $out/kotlinc/bin/$name; done
  '';
  scala = tool "scala" { folders = [ "java" "scala" "scala-2.11" ]; } ''
    cp -rL $out/share/scala-2.11 $out/scala
    chmod -R u+w $out/scala
    cp -L $package/share/scala/bin/* $out/scala/bin/
    rm -rf $out/share
    for name in scala scalac; do wrap $name $out/scala/bin/$name; done
  '';
  leiningen = tool "leiningen" { program = "lein"; folders = [ "java" "leiningen" ]; } ''
    cp -L $package/bin/lein $out/share/lein
    sed -i "s|/usr/share/|$out/share/|g" $out/share/lein
    mkdir -p $out/nix-support
    echo 'export JAVA_REPOSITORY=''${JAVA_REPOSITORY-file://${clojureRepository}/share/maven-repo}' > $out/nix-support/setup-hook
    wrap lein $out/share/lein
  '';
in
all // {
  jdk = all.jdk21;
  jdk_headless = all.jdk21;
  jre = all.jre21;
  jre_headless = all.jre21;
  jre_minimal = all.jre21_minimal;
  inherit maven gradle kotlin scala leiningen;
}
