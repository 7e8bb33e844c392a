//go:build slow

package packages

import "testing"

func TestContract_Rust(t *testing.T) {
	for _, line := range []string{"1.85", "1.96"} {
		t.Run(line, func(t *testing.T) {
			set := map[string]string{"1.85": "pkgs.rust_1_85", "1.96": "pkgs"}[line]
			hello(t, Need{Stack: "rust", Versions: map[string]string{"rust": line}}, `
			pkgs.stdenv.mkDerivation { name = "rust-hello"; dontUnpack = true; nativeBuildInputs = [ `+set+`.rustc `+set+`.cargo ]; buildPhase = ''
			  export HOME=$TMPDIR
			  rustc --version | grep '`+line+`'
			  cargo new --vcs none hello; cd hello
			  mkdir m; (cd m; cargo init --lib --vcs none; printf '[lib]\nproc-macro = true\n' >> Cargo.toml
			    printf 'use proc_macro::TokenStream;\n#[proc_macro]\npub fn one(_: TokenStream) -> TokenStream { "1".parse().unwrap() }\n' > src/lib.rs)
			  printf 'm = { path = "m" }\n[workspace]\n' >> Cargo.toml; printf 'fn main() { println!("hello {}", m::one!()); }\n' > src/main.rs
			  cargo build --release --offline
			''; installPhase = "mkdir -p $out/bin; cp target/release/hello $out/bin; [ \"$($out/bin/hello)\" = 'hello 1' ]"; }`)
		})
	}
}

func TestContract_Java(t *testing.T) {
	for _, line := range []string{"21", "25"} {
		t.Run(line, func(t *testing.T) {
			hello(t, Need{Stack: "java", Versions: map[string]string{"java": line, "maven": ""}}, `
			pkgs.runCommand "java-hello" { nativeBuildInputs = [ pkgs.jdk`+line+` (pkgs.maven.override { jdk_headless = pkgs.jdk`+line+`; }) ];
			  jre = pkgs.jre`+line+`; mini = pkgs.jre_minimal.override { jdk = pkgs.jdk`+line+`; modules = [ "java.base" "jdk.httpserver" ]; }; } ''
			  export HOME=$TMPDIR
			  printf 'public class Hello { public static void main(String[] a) throws Exception { System.out.println(com.sun.net.httpserver.HttpServer.create() != null); } }\n' > Hello.java
			  javac --release 17 -d c Hello.java
			  for java in java $jre/bin/java $mini/bin/java; do [ "$($java -cp c Hello)" = true ]; done
			  [ "$(keytool -list -cacerts -storepass "" 2>/dev/null | grep -c trustedCert)" -gt 100 ]
			  mvn --version
			  mkdir $out; echo $mini > $out/mini
			''`)
		})
	}
}

func TestContract_BuildSystems(t *testing.T) {
	hello(t, Need{Stack: "static", Native: true, Roots: []string{"cmake", "meson"}}, `
	pkgs.stdenv.mkDerivation { name = "cpp-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.cmake pkgs.meson pkgs.ninja pkgs.pkg-config ]; buildInputs = [ pkgs.zlib ]; dontConfigure = true; dontUseNinjaBuild = true; dontUseNinjaInstall = true; buildPhase = ''
	  export HOME=$TMPDIR
	  printf '#include <zlib.h>\n#include <cstdio>\nint main() { std::puts(zlibVersion()); }\n' > a.cc
	  printf 'cmake_minimum_required(VERSION 3.20)\nproject(a CXX)\nfind_package(ZLIB REQUIRED)\nadd_executable(a a.cc)\ntarget_link_libraries(a ZLIB::ZLIB)\n' > CMakeLists.txt
	  cmake -G Ninja -B c -DCMAKE_BUILD_TYPE=Release; ninja -C c
	  printf 'project(\047a\047, \047cpp\047)\nexecutable(\047a\047, \047a.cc\047, dependencies: dependency(\047zlib\047))\n' > meson.build
	  meson setup m; ninja -C m
	''; installPhase = "mkdir $out; cp c/a $out/cmake; cp m/a $out/meson; $out/cmake; $out/meson"; }`)
}

func TestContract_Haskell(t *testing.T) {
	hello(t, Need{Stack: "haskell", Packages: map[string][]string{"haskell": {"warp", "wai", "http-types"}}}, `
	let ghc = pkgs.haskellPackages.ghcWithPackages (ps: [ ps.warp ps.wai ps.http-types ]); in
	pkgs.stdenv.mkDerivation { name = "ghc-hello"; dontUnpack = true; nativeBuildInputs = [ ghc pkgs.cabal-install ]; buildPhase = ''
	  export HOME=$TMPDIR LANG=C.UTF-8 CABAL_DIR=$TMPDIR/cabal
	  printf '{-# LANGUAGE OverloadedStrings #-}\nimport Network.Wai\nimport Network.HTTP.Types\nimport Network.Wai.Handler.Warp (run)\nimport System.Environment\nmain = do { a <- getArgs; if null a then putStrLn "hello" else run 8080 (\\_ r -> r (responseLBS status200 [] "hi")) }\n' > Main.hs
	  printf 'cabal-version: 2.4\nname: h\nversion: 0.1.0.0\nexecutable h\n  main-is: Main.hs\n  build-depends: base, wai, warp, http-types\n  default-language: Haskell2010\n' > h.cabal
	  mkdir $CABAL_DIR; : > $CABAL_DIR/config
	  cabal --offline build; [ "$(runghc Main.hs)" = hello ]
	''; installPhase = "mkdir -p $out/bin; cp $(cabal list-bin h) $out/bin/; [ $($out/bin/h) = hello ]"; }`)
}

func TestContract_Crystal(t *testing.T) {
	hello(t, Need{Stack: "crystal"}, `
	pkgs.stdenv.mkDerivation { name = "crystal-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.crystal pkgs.shards pkgs.pkg-config ]; buildPhase = ''
	  export HOME=$TMPDIR
	  shards --version
	  printf 'require "http/server"\nrequire "json"\nrequire "yaml"\nrequire "xml"\nrequire "big"\nserver = HTTP::Server.new { |c| c.response.print "hi" }\nputs "hello #{BigInt.new(2)}"\n' > a.cr
	  crystal build a.cr -o hello
	''; installPhase = "mkdir -p $out/bin; cp hello $out/bin/; [ \"$($out/bin/hello)\" = 'hello 2' ]"; }`)
}

func TestContract_Libraries(t *testing.T) {
	hello(t, Need{Stack: "static", Native: true, Roots: []string{"cmake", "devOpenssl", "devPostgresql", "devMysql", "devSqlite", "devUsual", "devCpp"}}, `
	pkgs.stdenv.mkDerivation { name = "libraries-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.pkg-config pkgs.cmake ];
	buildInputs = with pkgs; [ openssl libpq sqlite libyaml curl libffi libxml2 fmt nlohmann_json boost httplib libmysqlclient zlib ]; dontConfigure = true; buildPhase = ''
	  printf '#include <openssl/ssl.h>\n#include <libpq-fe.h>\n#include <sqlite3.h>\n#include <yaml.h>\n#include <curl/curl.h>\n#include <ffi.h>\nint main() { return !(OpenSSL_version(0) && PQlibVersion() && sqlite3_libversion()); }\n' > a.c
	  $CC a.c -o a $(pkg-config --cflags --libs openssl libpq sqlite3 yaml-0.1 libcurl libffi)
	  printf '#include <fmt/core.h>\n#include <nlohmann/json.hpp>\n#include <boost/asio.hpp>\n#include <httplib.h>\nint main() { fmt::print("{}\\n", nlohmann::json{{"a", 1}}.dump()); }\n' > b.cc
	  printf 'cmake_minimum_required(VERSION 3.20)\nproject(b CXX)\nfind_package(fmt REQUIRED)\nfind_package(nlohmann_json REQUIRED)\nfind_package(OpenSSL REQUIRED)\nfind_package(Boost REQUIRED)\nadd_executable(b b.cc)\ntarget_link_libraries(b fmt::fmt nlohmann_json::nlohmann_json OpenSSL::SSL)\ninstall(TARGETS b)\n' > CMakeLists.txt
	  cmakeConfigurePhase; make; make install; cd ..
	''; installPhase = "cp a $out/bin/; $out/bin/a; [ $($out/bin/b) = '{\"a\":1}' ]; [ -e ${lib.getDev pkgs.openssl}/include/openssl/ssl.h ]; [ -e ${lib.getLib pkgs.openssl}/lib/libssl.so.3 ]"; }`)
}
