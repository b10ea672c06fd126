//! Whoever is told a command, an option or a similar word is led out by it: each text of `src/` that sends somebody on is
//! printed by the real program in a situation that stands here, and is done there as it was printed.
//!
//! The situations are in the text files beside this one. Each begins with `# ` and what it is; then come:
//!
//! | line | |
//! | --- | --- |
//! | `@ DOORS` | `both` (the default), `local`, `server`, or `bare`: nothing is made, and nothing is added to commands |
//! | `$ LINE` | a line of shell that has to succeed before |
//! | `$$ LINE` | the same where the vault is |
//! | `= NAME TEXT` | what a person puts in the place of NAME in a hint |
//! | `! LINE` | what is typed, and prints the hints |
//! | `> HINT` | the hint that begins so is run as it is printed, and succeeds; with ` => N` it ends with the code N |
//! | `>> HINT` | it is run, and then the line that was typed succeeds |
//! | `>y HINT` | it is run with the confirmation that whoever has no terminal has to add |
//! | `>@ HINT` | it is run where the vault is |
//! | `+ HINT` | the line that was typed succeeds with the option of the hint |
//! | `- HINT => OPTION` | it succeeds without the option that the hint names |
//! | `? WORD` | it succeeds with the similar word in the place of this one |
//! | `~ HINT => LINE` | no command could say it: LINE is what a person does; `{again}` is the line that was typed |
//! | `~@ HINT => LINE` | the same where the vault is |
//!
//! Every hint that is printed has to be done by one of these, each in a fresh copy of the situation.

mod http;
mod run;
mod situation;
mod source;

use crate::support::Home;
use situation::Situation;
use source::{Advice, Kind};
use std::{collections::BTreeSet, fs, path::Path};

/// Why no situation here prints a text.
#[derive(Clone, Copy)]
enum Why {
    /// It only looks like advice.
    NoAdvice(&'static str),
    /// What no test can bring about.
    Nature(&'static str),
    /// What another process has to do at one moment of a command.
    Moment(&'static str),
    /// Nobody has written the situation yet.
    Open,
    /// This test, in the file that is named first, brings it about.
    Test(&'static str),
}
use Why::{Moment, Nature, NoAdvice, Open, Test};

impl Why {
    fn is_no_advice(self) -> bool {
        matches!(self, NoAdvice(_))
    }

    /// What is wrong with the reason itself.
    fn mistaken(self) -> Option<String> {
        match self {
            Test(place) => {
                let (module, name) = place.split_once("::")?;
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/{module}.rs"));
                let text = fs::read_to_string(file).unwrap_or_default();
                (!text.contains(&format!("#[test]\nfn {name}("))).then(|| format!("there is no test {place}"))
            }
            Open => None,
            NoAdvice(why) | Nature(why) | Moment(why) => why.is_empty().then(|| "no reason is given".to_owned()),
        }
    }
}

/// Advice that no situation here prints, each with why.
const UNPROVOKED: &[(&str, Why)] = &[
    (
        "keyward operators trust add NAME --issuer URL --audience AUD --role ROLE",
        NoAdvice("the line of the help that says how the command is used"),
    ),
    ("%Y-%m-%d", NoAdvice("the form of the date in the hint beside it")),
    ("idempotency_key", NoAdvice("a field that the hint beside it leaves out")),
    ("--vault", NoAdvice("a word of the command that is put together beside it")),
    ("init", NoAdvice("a word of the command that is put together beside it")),
    (
        "{verb} the webhook '{name}' ({id}); a running `keyward serve` sends its messages",
        NoAdvice("it says who sends; nothing is left to do"),
    ),
    ("run it as {}, to whom {} belongs", Nature("two users, whom only root can bring together")),
    ("run it as the user to whom {} belongs", Nature("two users, whom only root can bring together")),
    ("run keyward as the owner of the file", Nature("two users, whom only root can bring together")),
    ("make the directory writable", Nature("a directory of leases that is lost after the vault was opened")),
    ("make room on its file system", Nature("a full file system")),
    ("give the process more memory, or open the vault with a device key", Nature("a process without memory")),
    ("set it, then run this again", Nature("a clock before 1970")),
    ("check the vault's directory: keyward doctor", Nature("a disk that fails")),
    ("is the server of another version?  keyward --version", Nature("a server that answers as no version does")),
    (
        "add --checkpoint FILE with one that was made before or by the export",
        Nature("an export without a line that is proven, which keyward does not write"),
    ),
    (
        "this is a secret, not the name of a key; pass it on standard input: keyward verify -",
        Nature("the command line refuses secrets before; it is for other doors"),
    ),
    (
        "a change may have been made all the same: look before you repeat it",
        Moment("a connection breaks while a server answers"),
    ),
    ("keyward doctor  (says what it is, and what opens it)", Moment("two commands make one vault")),
    ("keyward vault status", Moment("two commands make one vault")),
    (
        "keyward list --sort -created -o name, then: keyward rotate KEY --now   for each whose secret is missing",
        Moment("a disk fills between a creation and its file"),
    ),
    (
        "keyward rotation commit {rotation} --force  (the new secret was printed, and works)",
        Moment("a server goes between two calls"),
    ),
    ("the secret has arrived: keyward rotation commit {rotation}", Moment("a server goes between two calls")),
    ("{}   (does the rest)", Moment("a server goes while many keys are changed")),
    (
        "several requests of fewer keys, one after the other",
        Test("many_keys::a_request_for_many_keys_is_of_one_kind_and_bounded"),
    ),
    ("try again later; nothing is lost", Moment("another process holds the rotation")),
    ("open it again: eval \"$(keyward unlock --for 15m)\"", Moment("new keys come while a command runs")),
    (
        "{last}: nobody has looked at {} for {} days{}: keyward audit review",
        Test("reviewers::a_late_review_is_found_and_only_a_named_reviewer_mends_it"),
    ),
    ("keyward audit review", Test("reviewers::a_late_review_is_found_and_only_a_named_reviewer_mends_it")),
    (
        "put the file back, or start the server again: keyward serve",
        Test("serve_place::another_vault_in_the_place_of_the_keystore_is_not_served"),
    ),
    (
        "start the server again, with a slot of the vault: keyward vault slots list",
        Test("remote::a_server_whose_slot_is_gone_says_so_and_judges_nothing"),
    ),
    (
        "again in {} seconds: the server asks for so much patience",
        Test("remote_patience::a_server_that_asks_for_patience_gets_it"),
    ),
    (
        "open the vault with another slot, or keyward vault restore FILE",
        Test("tamper::the_table_of_attacks_in_the_readme_is_what_comes_out"),
    ),
    (
        "find out who changed it; put that object right with the sqlite3 program, or take a backup: keyward vault restore FILE; then keyward audit verify --full",
        Test("tamper::a_planted_trigger_neither_acts_nor_stays_unnoticed"),
    ),
    (
        "put the copy this machine worked with back; to go on with this one: keyward vault restore COPY --force",
        Test("vault_restore::a_copy_that_went_its_own_way_is_no_later_one_however_long_it_is"),
    ),
    (
        "the change is done, and this machine could not remember it ({why}): an older copy of the keystore would pass for the newest; keyward doctor says more",
        Test("places::a_change_that_cannot_be_remembered_is_told_and_found"),
    ),
    ("name a file in a directory that only you can write to", Test("places::what_others_laid_out_is_not_written_to")),
    ("keyward vault backup - > FILE", Test("terminal::a_backup_is_no_text")),
    (
        "read-only: keyward ui --allow-changes creates, rotates, switches and deletes",
        Test("ui::a_key_is_found_explained_and_copied_and_no_secret_is_seen"),
    ),
    ("keyward diff -f FILE   and apply again", Test("declared::a_plan_that_is_no_longer_the_plan_is_not_carried_out")),
    ("--server URL, or KEYWARD_SERVER", Test("holder::what_it_cannot_heed_is_refused")),
    ("keyward show KEY  (where the vault is, or as an operator)", Test("holder::what_it_cannot_heed_is_refused")),
    ("keep the secret alone in its file: --secret-file FILE", Open),
    ("choose another name", Test("holder::what_it_cannot_heed_is_refused")),
    (
        "keyward update {} --self LIST  (for those who may)",
        Test("holder::a_key_and_its_workspace_say_what_holders_may"),
    ),
    ("--self {most}", Test("holder::a_key_and_its_workspace_say_what_holders_may")),
    (
        "keyward workspaces update {} --self LIST  (for those who may)",
        Test("holder::a_key_and_its_workspace_say_what_holders_may"),
    ),
    ("keyward self show --server URL --secret-file FILE", Nature("no door lets anybody else come there")),
    ("try again when it is done", Moment("another process rotates a key into the same sink")),
    (
        "--secret-file FILE, with the new secret, if it is there",
        Test("holder_rotation::a_secret_in_doubt_is_never_the_second_of_three"),
    ),
    (
        "{} --anew   (if it is not: that one ends, and another is made)",
        Test("holder_rotation::a_secret_in_doubt_is_never_the_second_of_three"),
    ),
    (
        "--secret-file FILE, with the current secret",
        Test("holder_rotation::a_holder_rotates_its_key_into_a_file_and_nothing_of_it_grows"),
    ),
    (
        "{}   (goes on with the same rotation)",
        Test("holder_kills::whatever_is_killed_or_lost_the_holder_keeps_a_secret_that_works"),
    ),
    (
        "--issuer https://HOST, exactly as the claim `iss` of its tokens says it",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--kind {known}",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--audience https://YOUR-SERVER, which a job asks its host for",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--claim {name}=VALUE  (once for each trust)",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--token-life 24h",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--jwks FILE",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "one trust for each value: keyward operators trust add NAME",
        Test("trusts::a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing"),
    ),
    (
        "--audience AUDIENCE, another one for each: a job chooses the one that it asks for",
        Test("trusts::what_binds_a_job_is_kept_shown_and_told_in_the_trail"),
    ),
    (
        "keyward operators trust remove {}  (its name is free then)",
        Test("trusts::what_binds_a_job_is_kept_shown_and_told_in_the_trail"),
    ),
    (
        "permissions: { id-token: write }  (in the job of the workflow)",
        Test("oidc_jobs::a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token"),
    ),
    (
        "elsewhere the host puts a token into a file or a variable: KEYWARD_TOKEN_FILE or KEYWARD_TOKEN",
        Test("oidc_jobs::a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token"),
    ),
    (
        "keyward operators trust list  (where the vault is: whom it lets in; its log says which check failed)",
        Test("oidc_jobs::a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token"),
    ),
    (
        "KEYWARD_OIDC_AUDIENCE=AUDIENCE, as `keyward operators trust add --audience` has it",
        Test("oidc_jobs::a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token"),
    ),
    (
        "leave the variable as GitHub sets it",
        Test("oidc_jobs::a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token"),
    ),
    (
        "keyward --server {} --token-file FILE whoami  (reads it again for each call)",
        Test("oidc_jobs::a_job_at_gitlab_rotates_a_key_by_the_token_in_its_variable"),
    ),
    (
        "a token of a job ends by itself soon; to let such jobs in no more: keyward operators trust remove NAME",
        Test("oidc_jobs::a_job_at_gitlab_rotates_a_key_by_the_token_in_its_variable"),
    ),
    (
        "no key: it is a token of a job, of {issuer} as it says, for {job}, and ends {ends}; keyward operators trust list shows whom such tokens let in",
        Test("oidc_jobs::a_job_at_gitlab_rotates_a_key_by_the_token_in_its_variable"),
    ),
    ("run it where the vault is, without --server and KEYWARD_SERVER", Open),
    ("keyward create --from FILE --out NEW   (makes them in as many requests as it takes)", Open),
    ("run that command again, with the file as it was: it goes on where it ended", Open),
    ("{}   (gives it up: keys it made stay, and may be without a secret)", Open),
    ("{invocation}   (once more: it goes on where this one ended)", Open),
    ("several files of fewer keys, one after the other", Open),
    ("cx.invocation()", Open),
    ("resume", Open),
    ("keyward unlock --for 15m  (asks for the passphrase, on a terminal), or --passphrase-file FILE", Open),
    ("keyward pull", NoAdvice("a word of the command that is put together beside it")),
    ("keyward push", NoAdvice("a word of the command that is put together beside it")),
    (
        "keyward operators create {} --role auditor --bind {workspace}",
        Test("reviewers::who_cannot_review_cannot_be_named_as_a_reviewer"),
    ),
    (
        "or a user of a machine, as the trail names it: USER@HOST",
        Test("reviewers::who_cannot_review_cannot_be_named_as_a_reviewer"),
    ),
    ("keyward operators list  (who works)", Test("reviewers::who_cannot_review_cannot_be_named_as_a_reviewer")),
    (
        "an operator that is bound to this workspace, or to none",
        Test("reviewers::who_cannot_review_cannot_be_named_as_a_reviewer"),
    ),
    (
        "--mine, or mine=true over HTTP: the keys that you made or own",
        Test("own_keys::every_role_that_has_to_do_with_keys_reads_its_own_and_is_told_so"),
    ),
    ("instead", NoAdvice("it is worded where the trail is asked")),
    ("this is a secret, which is not searched for: keyward identify -   names its key", Open),
    ("keyward vault restore FILE  (from a backup that is newer)", Open),
    ("leave out --mine, or mine=true over HTTP", Open),
    ("keyward vault slots remove SLOT  (where the vault is, with a slot of the role admin: it is made anew)", Open),
    ("keyward vault slots add --passphrase --role support  (where the vault is, with a slot of the role admin)", Open),
];

/// Where calls of `hint` get a text that does not stand in them: the file, the expression, and words that it gives.
const ELSEWHERE: &[(&str, &str, &[&str])] = &[
    ("backend/restore.rs", "KEEP", &["keyward vault backup FILE"]),
    ("backend/unlock.rs", "way_in(SlotKind::Device)", &["--key-file FILE, with a copy of a device key"]),
    ("backend/remote/reply.rs", "hint", &[]),
    ("cli/bulk.rs", "hint", &["leave the line out"]),
    ("cli/context.rs", "instead", &["--out FILE writes them", "-q prints the secret alone"]),
    ("cli/context.rs", "or", &["-q prints them alone", "-o json has it in the field"]),
    ("ops/binding.rs", "hint", &[]),
    ("ops/binding.rs", "instead", &[]),
    ("cli/local.rs", "hint", &["correct --vault,", "correct KEYWARD_VAULT", "name the vault where it is"]),
    ("cli/due/result.rs", "hint", &[]),
    ("cli/rotating.rs", "commit", &[]),
    ("cli/unparsed.rs", "help", &["vault --help"]),
    ("cli/delivery/drive.rs", "cx.invocation()", &[]),
    ("cli/delivery/drive.rs", "resume", &["keyward rotation resume"]),
    ("cli/commands/report.rs", "hint", &["keyward report --html - > FILE"]),
    ("deliver/own_file.rs", "hint", &["chmod go-w"]),
    ("ops/audit_review.rs", "Permission::ReadAudit.who_may()", &["whose role may"]),
    ("ops/authority.rs", "permission.who_may()", &["whose role may"]),
    ("ops/authority.rs", "self.own_bounds()", &["--expires-at"]),
    ("ops/error.rs", "hint", &[]),
    ("ops/lookup.rs", "list", &["keyward list --status any"]),
    ("ops/lookup.rs", "LIST", &["keyward list --status any"]),
    ("ops/lookup.rs", "create", &["keyward projects create"]),
    ("ops/rotation.rs", "LIST", &["keyward rotation list --all"]),
    ("ops/rotation_view.rs", "resume", &["--deliver SINK  (deliver a fresh secret"]),
    ("ops/store_error.rs", "hint", &["put the newest keystore back", "name the vault's directory with --vault DIR"]),
];

fn situations() -> Vec<Situation> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hints");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().flat_map(|file| situation::read(file)).collect()
}

fn commands() -> Vec<String> {
    let help = Home::new().ok(&["--help"]);
    let words = help.lines().filter_map(|line| line.strip_prefix("  ")?.split([' ', ',']).next());
    words.filter(|word| !word.is_empty() && !word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn every_hint_and_every_similar_word_leads_out_where_it_is_printed() {
    let (said, mut wrong) = run::all(&situations());
    let (over_http, wrong_over_http) = http::said();
    wrong.extend(wrong_over_http);
    let done: BTreeSet<String> = said.into_iter().chain(over_http).collect();
    let advice = source::advice(&commands());
    let is_done = |advice: &Advice| match advice.kind {
        // A profile needs a server that was logged in to.
        Kind::Similar if advice.file == "ops/profiles.rs" => true,
        Kind::Similar => done.contains(&format!("similar {}", advice.file)),
        Kind::Elsewhere => ELSEWHERE.iter().any(|(file, text, _)| *file == advice.file && *text == advice.text),
        Kind::Hint | Kind::Command => done.iter().any(|line| advice.is_said_by(line)),
    };
    for advice in advice.iter().filter(|advice| !is_done(advice)) {
        if !UNPROVOKED.iter().any(|(text, _)| *text == advice.text) {
            wrong.push(format!(
                "src/{}:{}: no situation in tests/it/hints prints this and does it: {}",
                advice.file, advice.line, advice.text
            ));
        }
    }
    for (text, why) in UNPROVOKED {
        let mut of_text = advice.iter().filter(|advice| advice.text == *text);
        match of_text.next() {
            None => wrong.push(format!("src/ says this no more: {text}")),
            Some(first) if is_done(first) && of_text.all(is_done) && !why.is_no_advice() => {
                wrong.push(format!("a situation does this, which is said to have none: {text}"));
            }
            _ => wrong.extend(why.mistaken().map(|mistaken| format!("{text}: {mistaken}"))),
        }
    }
    for (file, _, words) in ELSEWHERE {
        let missing = words.iter().filter(|words| !done.iter().any(|line| line.contains(**words)));
        wrong.extend(missing.map(|words| format!("src/{file}: no situation prints this and does it: {words}")));
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
