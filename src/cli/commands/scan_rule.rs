//! `scan-rule`: the shape of tokens, for secret scanners.

use crate::{
    cli::{context::Ctx, exit::Exit},
    domain::{Brand, Environment, scan_rule},
    ops,
};
use clap::ValueEnum;
use serde_json::json;

/// Print the rule that finds secrets, for secret scanners
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  git grep -P \"$(keyward scan-rule)\"\n  \
    keyward scan-rule --format gitleaks > .gitleaks.toml\n  keyward scan-rule --format detect-secrets > keyward_plugin.py\n  \
    keyward scan-rule --format kingfisher --validate-at https://keys.example.com > keyward.yml\n\n\
    With its rule kingfisher asks the server whether what it found works. 'kingfisher revoke --rule keyward.1\n\
    --var REVOKER=CREDENTIAL' revokes it there, with the credential of an operator of the role revoker.\n\n\
    The rule for secretlint needs: npm install secretlint @secretlint/secretlint-rule-pattern")]
pub(crate) struct Args {
    /// What the tokens start with [default: as the vault's, or kw where there is no vault]
    #[arg(long, value_name = "BRAND")]
    brand: Option<Brand>,
    /// For which scanner
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = RuleFormat::Regex)]
    format: RuleFormat,
    /// The server that says whether what was found works: for kingfisher
    #[arg(long, value_name = "URL", value_parser = server_url, default_value = "http://127.0.0.1:8787")]
    validate_at: String,
}

/// The address of a server, as a scanner asks it, without a slash at its end.
fn server_url(text: &str) -> Result<String, String> {
    let is_address = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~:/[]%".contains(&byte))
    };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let trimmed = || text.trim_end_matches('/').to_owned();
    rest.filter(|rest| is_address(rest)).map(|_| trimmed()).ok_or_else(|| "expected https://HOST".to_owned())
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
pub(crate) fn run(cx: &mut Ctx, args: Args) -> ops::Result<u8> {
    let vault = cx.vault()?;
    let brand = match args.brand {
        Some(brand) => brand,
        None if vault.exists()? => vault.brand()?,
        None => Brand::default(),
    };
    cx.text("keyward.scan-rule/v1", "pattern", &rule(args.format, &brand, &args.validate_at))?;
    Ok(Exit::Ok.code())
}

fn rule(format: RuleFormat, brand: &Brand, server: &str) -> String {
    let regex = scan_rule(brand);
    let mut brands = vec![brand.clone(), Brand::of_operators()];
    brands.dedup();
    let starts: Vec<String> = brands
        .iter()
        .flat_map(|brand| Environment::ALL.map(|environment| format!("{brand}_{}_", environment.token_code())))
        .chain(["KWR-".to_owned()])
        .collect();
    match format {
        RuleFormat::Regex => format!("{regex}\n"),
        RuleFormat::Gitleaks => {
            let keywords: Vec<String> = starts.iter().map(|start| format!("\"{start}\"")).collect();
            let keywords = keywords.join(", ");
            format!(
                "title = \"API keys issued by keyward\"\n\n[[rules]]\nid = \"keyward-api-key\"\n\
                 description = \"API key issued by keyward\"\nregex = '''{regex}'''\nkeywords = [{keywords}]\n"
            )
        }
        RuleFormat::Kingfisher => kingfisher(&regex, server),
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
            if found.startswith("KWR-") or checksum(found[:-6]) == found[-6:]:
                yield found
"#
        ),
    }
}

/// The rule, with what kingfisher asks to know whether a key works, and to revoke it.
fn kingfisher(regex: &str, server: &str) -> String {
    format!(
        r"rules:
  - name: API key issued by keyward
    id: keyward.1
    pattern: '({regex})'
    min_entropy: 3.0
    confidence: high
    validation:
      type: Http
      content:
        request:
          method: POST
          url: '{server}/v1/validate'
          headers:
            Authorization: 'Bearer {{{{ TOKEN }}}}'
          response_matcher:
            - report_response: true
            - type: StatusMatch
              status: [200]
    revocation:
      type: HttpMultiStep
      content:
        steps:
          - name: which key it is
            request:
              method: POST
              url: '{server}/v1/validate'
              headers:
                Authorization: 'Bearer {{{{ TOKEN }}}}'
              response_matcher:
                - type: StatusMatch
                  status: [200]
            extract:
              KEY_ID:
                type: JsonPath
                path: '$.key_id'
          - name: revoke it
            request:
              method: POST
              url: '{server}/v1/keys/{{{{ KEY_ID }}}}/revoke'
              headers:
                Authorization: 'Bearer {{{{ REVOKER }}}}'
                Keyward-Reason: leaked
              response_matcher:
                - type: StatusMatch
                  status: [200]
"
    )
}
