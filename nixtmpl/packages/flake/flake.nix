{
  description = "A small package set with the attributes of nixpkgs that hop3's templates use, made of pinned Debian packages";

  outputs = { self }:
    let
      lib = import ./lib.nix;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" ] (system: import ./default.nix { inherit system; });
    };
}
