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
