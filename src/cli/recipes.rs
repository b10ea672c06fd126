//! Recipes: what somebody wants to have done, and the commands that do it. `keyward help recipes` and a manual page print them;
//! each is run by a test.

/// Each with its title and its commands, which follow on each other within a recipe.
pub(crate) const RECIPES: [(&str, &[&str]); 10] = [
    (
        "A new key, straight into the file of the service that uses it",
        &["keyward create mailer --env production --scope mail:send --owner ops --deliver file:mailer.key"],
    ),
    (
        "It gets a new secret every 30 days, by one command that cron or a timer runs",
        &[
            "keyward create sync --env production --scope mail:send --rotate-every 30d --deliver file:sync.key",
            "keyward rotate --due --yes --max 50 --deliver-map deliver.toml",
        ],
    ),
    (
        "A secret leaked: everything older stops once the new one has arrived",
        &["keyward rotate billing-sync --now --reason leaked --deliver file:billing.key"],
    ),
    (
        "A service was shut down: stop its key, and later remove it",
        &[
            "keyward deactivate billing-sync --reason 'the service is off'",
            "keyward delete billing-sync --confirm billing-sync",
        ],
    ),
    (
        "A key does not work: ask with what the service asks, and see what was refused",
        &[
            "keyward verify --secret-file key.txt --env production --explain",
            "keyward show billing-sync",
            "keyward logs --key billing-sync",
        ],
    ),
    ("What needs somebody soon", &["keyward list --expires-within 14d", "keyward list --due", "keyward check"]),
    (
        "Somebody leaves: their keys get another owner",
        &["keyward update billing-sync --owner bob", "keyward list --owner bob"],
    ),
    ("A backup, and the vault back from it", &["keyward vault backup safe.db", "keyward vault restore safe.db --yes"]),
    (
        "A copy of the trail that an auditor can check without the vault",
        &["keyward audit verify", "keyward audit export > trail.jsonl", "keyward audit checkpoint > checkpoint.txt"],
    ),
    (
        "A server for services, and a credential for one that asks",
        &[
            "keyward operators create gateway --role verifier",
            "keyward serve --env production --listen unix:media/keyward.sock",
        ],
    ),
];

/// All of them, as a text.
pub(crate) fn text() -> String {
    let mut text = "Recipes. Each works as it stands, with names of your own.\n".to_owned();
    for (title, commands) in RECIPES {
        text.push_str(&format!("\n{title}:\n"));
        for command in commands {
            text.push_str(&super::help_text::wrapped(&format!("  {command}")));
            text.push('\n');
        }
    }
    text.push_str("\nOne command: keyward help rotate. On a schedule, in pipelines, on servers: the pages of docs/.\n");
    text
}
