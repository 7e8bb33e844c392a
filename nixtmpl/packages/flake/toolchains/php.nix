# PHP with its extensions. PHP reads settings from /etc; an environment is a
# wrapper that names its own, with the extensions by their store paths.
{ lib, lock, groups, closureOf, runCommand, bash, cacert, ... }:
let
  base = groups.php84;
  version = lib.head (lib.splitString "-" lock.groups.php84.version);

  # Debian package → its extensions, in the order in which they must be loaded.
  parts = {
    mysql = [ "mysqlnd" "mysqli" "pdo_mysql" ];
    pgsql = [ "pgsql" "pdo_pgsql" ];
    sqlite3 = [ "sqlite3" "pdo_sqlite" ];
    xml = [ "dom" "simplexml" "xml" "xmlreader" "xmlwriter" "xsl" ];
  };
  core = [ "pdo" "opcache" "calendar" "ctype" "exif" "ffi" "fileinfo" "ftp" "gettext" "iconv" "phar" "posix" "readline" "shmop" "sockets" "sysvmsg" "sysvsem" "sysvshm" "tokenizer" ];
  extension = group: name: groups.${group} // { pname = "php-${name}"; extensionName = name; inherit group version; };
  separate = lib.filterAttrs (_: group: group != "php84") lock.languages.php;
  extensions = lib.genAttrs core (extension "php84")
    // lib.listToAttrs (lib.concatMap (package: map (name: lib.nameValuePair name (extension separate.${package} name)) (parts.${package} or [ package ])) (lib.attrNames separate))
    # compiled in
    // lib.genAttrs [ "filter" "openssl" "pcntl" "session" "sodium" "zlib" "hash" "json" "random" ] (name: extension "php84" name // { builtIn = true; });

  usual = map (name: extensions.${name}) [
    "bcmath" "calendar" "ctype" "curl" "dom" "exif" "fileinfo" "filter" "ftp" "gettext" "gmp" "iconv" "intl" "mbstring" "mysqli" "mysqlnd" "opcache" "openssl" "pcntl" "pdo"
    "pdo_mysql" "pdo_pgsql" "pdo_sqlite" "pgsql" "phar" "posix" "readline" "session" "simplexml" "soap" "sockets" "sodium" "sqlite3" "sysvsem" "tokenizer" "xmlreader" "xmlwriter" "xml" "zip" "zlib"
  ];

  # What one extension needs of others comes before it.
  rank = name: if name == "opcache" then "00" else if lib.elem name [ "pdo" "mysqlnd" "xml" "igbinary" "msgpack" ] then "10" else if name == "dom" then "15" else "20";
  # redis needs igbinary, for one.
  withNeeds = e: map (g: extensions.${lib.removePrefix "php8.4-" g}) (lib.filter (g: lib.elem g [ "php8.4-igbinary" "php8.4-msgpack" ]) (closureOf e.group)) ++ [ e ];
  environment = { enabled, extraConfig ? "" }: runCommand "php-${version}-env"
    {
      meta.mainProgram = "php";
      inherit base extraConfig;
      passAsFile = [ "extraConfig" ];
      shell = "${bash}/bin/bash";
      zones = "${groups.tzdata}/share/zoneinfo";
      load = lib.concatMapStringsSep "\n" (e: "${rank e.extensionName}-${e.extensionName} ${e}") (lib.filter (e: !(e ? builtIn)) (lib.concatMap withNeeds enabled));
    } ''
    mkdir -p $out/bin $out/lib/conf.d
    echo "$load" | while read -r name package; do
      library=$(echo $package/lib/php/2*/''${name#*-}.so)
      [ -e $library ] || { echo "no extension ''${name#*-} in $package" >&2; exit 1; }
      kind=extension
      case ''${name#*-} in opcache | xdebug) kind=zend_extension ;; esac
      echo "$kind=$library" > $out/lib/conf.d/$name.ini
    done
    cp $extraConfigPath $out/lib/conf.d/90-extra.ini
    sed -e '/^;/d' -e '/^$/d' $base/lib/php/*/php.ini-production.cli > $out/lib/php.ini
    for program in bin/php sbin/php-fpm; do
      printf '#!%s\nexport PHPRC=%s PHP_INI_SCAN_DIR=%s''${PHP_INI_SCAN_DIR:+:$PHP_INI_SCAN_DIR}\nexec 201< %s\nexec %s "$@"\n' $shell $out/lib $out/lib/conf.d $zones $base/''${program}8.4 > $out/bin/''${program##*/}
      chmod +x $out/bin/''${program##*/}
    done
  '';
  make = { enabled ? usual, extraConfig ? "" }@settings:
    let php = environment { inherit enabled extraConfig; }; in
    php // {
      pname = "php";
      inherit version extensions;
      enabledExtensions = enabled;
      unwrapped = base;
      phpIni = "${php}/lib/php.ini";
      passthru = { };
      packages = { composer = composerOf php; };
      buildEnv = { extensions ? ({ enabled, ... }: enabled), extraConfig ? "" }: make { enabled = extensions { inherit enabled; all = php84Extensions; }; inherit extraConfig; };
      withExtensions = choose: make (settings // { enabled = choose { inherit enabled; all = php84Extensions; }; });
    };
  php84Extensions = extensions;

  # Debian's Composer loads its libraries by their folder: they must share one.
  composerOf = php: runCommand "composer-${lib.head (lib.splitString "+" lock.groups.composer.version)}"
    {
      meta.mainProgram = "composer";
      pname = "composer";
      inherit php;
      authorities = "${cacert}/etc/ssl/certs/ca-bundle.crt";
      shell = "${bash}/bin/bash";
      packages = map (g: groups.${g}) ([ "composer" ] ++ closureOf "composer");
    } ''
    mkdir -p $out/bin $out/libexec/bin $out/libexec/share/php
    for package in $packages; do
      [ ! -d $package/share/php ] || cp -rn --no-preserve=mode $package/share/php/. $out/libexec/share/php/
      for data in $package/share/*/; do
        case $data in */share/doc/ | */share/php/) ;; *) cp -rn --no-preserve=mode $data $out/libexec/share/ ;; esac
      done
    done
    grep -rl /usr/share/ $out/libexec | xargs -r sed -i "s|/usr/share/|$out/libexec/share/|g"
    tail -n +2 ${groups.composer}/bin/composer > $out/libexec/bin/composer
    printf '#!%s\nexport SSL_CERT_FILE="''${SSL_CERT_FILE-%s}"\nexec %s/bin/php -d include_path=.:%s %s "$@"\n' $shell $authorities $php $out/libexec/share/php $out/libexec/bin/composer > $out/bin/composer
    chmod +x $out/bin/composer
  '';
  php84 = make { };
in
{
  inherit php84 php84Extensions;
  php = php84;
  phpExtensions = php84Extensions;
  php84Packages = php84.packages;
  phpPackages = php84.packages;
}
