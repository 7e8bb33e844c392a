{ stdenvNoCC, python3 }:

stdenvNoCC.mkDerivation {
  pname = "hello";
  version = "1";
  src = ./src;
  nativeBuildInputs = [ python3 ];
  dontBuild = true;
  installPhase = ''
    mkdir -p $out/bin
    cp hello.py $out/bin/hello
    chmod +x $out/bin/hello
    patchShebangs $out/bin
  '';
  meta.mainProgram = "hello";
}
