{
  description = "an app that brings its own flake";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";

  outputs = { self, nixpkgs }:
    let
      forSystems = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ];
    in
    {
      packages = forSystems (system:
        let pkgs = nixpkgs.legacyPackages.${system};
        in {
          default = pkgs.stdenvNoCC.mkDerivation {
            pname = "hello";
            version = "1";
            src = ./src;
            nativeBuildInputs = [ pkgs.python3 ];
            dontBuild = true;
            installPhase = ''
              mkdir -p $out/bin
              cp hello.py $out/bin/hello
              chmod +x $out/bin/hello
              patchShebangs $out/bin
            '';
            meta.mainProgram = "hello";
          };
        });
    };
}
