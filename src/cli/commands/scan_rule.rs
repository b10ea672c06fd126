//! `scan-rule`: the shape of tokens, for secret scanners.

use crate::{
    cli::{context::Ctx, exit::Exit},
    domain::{Brand, Environment, scan_rule},
    ops::Result,
};
use clap::ValueEnum;
use serde_json::json;

/// Print the rule that finds secrets, for secret scanners
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  git grep -P \"$(keyward scan-rule)\"\n  \
    keyward scan-rule --format gitleaks > .gitleaks.toml\n  keyward scan-rule --format detect-secrets > keyward_plugin.py\n\n\
    The rule for secretlint needs: npm install secretlint @secretlint/secretlint-rule-pattern")]
pub(crate) struct Args {
    /// What the tokens start with [default: as the vault's, or kw where there is no vault]
    #[arg(long, value_name = "BRAND")]
    brand: Option<Brand>,
    /// For which scanner
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = RuleFormat::Regex)]
    format: RuleFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RuleFormat {
    /// The bare regular expression
    Regex,
    /// gitleaks and betterleaks: .gitleaks.toml
    Gitleaks,
    /// kingfisher: a file for --rules-path
    Kingfisher,
    /// secretlint: .secretlintrc.json
    Secretlint,
    /// detect-secrets: a file for --plugin, which also checks the checksum
    DetectSecrets,
}

/// Prints the rule; it unlocks no vault, and needs none.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let vault = cx.vault()?;
    let brand = match args.brand {
        Some(brand) => brand,
        None if vault.exists() => vault.brand()?,
        None => Brand::default(),
    };
    cx.text("keyward.scan-rule/v1", "pattern", &rule(args.format, &brand))?;
    Ok(Exit::Ok.code())
}

fn rule(format: RuleFormat, brand: &Brand) -> String {
    let regex = scan_rule(brand);
    let starts = Environment::ALL.map(|environment| format!("{brand}_{}_", environment.token_code()));
    match format {
        RuleFormat::Regex => format!("{regex}\n"),
        RuleFormat::Gitleaks => {
            let keywords = starts.map(|start| format!("\"{start}\"")).join(", ");
            format!(
                "title = \"API keys issued by keyward\"\n\n[[rules]]\nid = \"keyward-api-key\"\n\
                 description = \"API key issued by keyward\"\nregex = '''{regex}'''\nkeywords = [{keywords}]\n"
            )
        }
        RuleFormat::Kingfisher => format!(
            "rules:\n  - name: API key issued by keyward\n    id: keyward.1\n    pattern: '({regex})'\n    \
             min_entropy: 3.0\n    confidence: high\n"
        ),
        RuleFormat::Secretlint => {
            let pattern = json!({ "name": "API key issued by keyward", "patterns": [format!("/{regex}/g")] });
            let rule = json!({ "id": "@secretlint/secretlint-rule-pattern", "options": { "patterns": [pattern] } });
            format!("{:#}\n", json!({ "rules": [rule] }))
        }
        RuleFormat::DetectSecrets => format!(
            r#""""Finds API keys issued by keyward; their checksum is checked, so that nothing else is reported."""
import re
import zlib

from detect_secrets.plugins.base import RegexBasedDetector

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(text):
    number = zlib.crc32(text.encode("ascii"))
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits


class KeywardDetector(RegexBasedDetector):
    secret_type = "API key issued by keyward"
    denylist = [re.compile(r"{regex}")]

    def analyze_string(self, string):
        for found in super().analyze_string(string):
            if checksum(found[:-6]) == found[-6:]:
                yield found
"#
        ),
    }
}
