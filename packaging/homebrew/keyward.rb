# A formula for a tap: `brew install ./keyward.rb` builds from the sources of a release.
# packaging/sums.sh prints the checksum that belongs here.
class Keyward < Formula
  desc "Issue, scope, rotate, revoke, verify and audit API keys from the shell"
  homepage "https://example.com/keyward"
  url "https://example.com/keyward/releases/download/v0.1.0/keyward-0.1.0.crate"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["Apache-2.0", "MIT"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/keyward.bash" => "keyward"
    zsh_completion.install "completions/_keyward"
    fish_completion.install "completions/keyward.fish"
  end

  service do
    run [opt_bin/"keyward", "--no-input", "serve", "--env", "production"]
    keep_alive true
    log_path var/"log/keyward.log"
    error_log_path var/"log/keyward.log"
  end

  test do
    ENV["HOME"] = testpath
    secret = shell_output("#{bin}/keyward -q create test --env staging").strip
    assert_match "VALID", pipe_output("#{bin}/keyward verify - --env staging", secret, 0)
  end
end
