# `nix run path:packaging/nix` and `nix develop path:packaging/nix`. What is built is the tree that this file lies in.
{
  description = "keyward, API keys from the shell";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";
  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      sources = ../..;
      manifest = (builtins.fromTOML (builtins.readFile (sources + "/Cargo.toml"))).package;
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          version = manifest.version;
          src = sources;
          cargoLock.lockFile = sources + "/Cargo.lock";
          # The tests want programs that a build has not: `.ci/run` is where they run.
          doCheck = false;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = ''
            installManPage man/*.1
            installShellCompletion --bash --name keyward completions/keyward.bash
            installShellCompletion --zsh --name _keyward completions/_keyward
            installShellCompletion --fish --name keyward.fish completions/keyward.fish
          '';
          meta = {
            description = manifest.description;
            license = with pkgs.lib.licenses; [ asl20 mit ];
            mainProgram = "keyward";
          };
        };
      });
      devShells = each (pkgs: { default = pkgs.mkShell { packages = [ pkgs.cargo pkgs.rustc pkgs.clippy pkgs.rustfmt ]; }; });
    };
}
