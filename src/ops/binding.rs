//! What a trust must bind a job by: an issuer whose keys nobody on the way can replace, an audience that is nobody else's, and claims
//! that no other job can come by.
//!
//! Names alone say nothing: who takes over a name that was given up has it, and a fork or a branch that anybody may push carries
//! the rest.

use super::{
    error::{Error, Kind, Result},
    free_text,
    trusts::AddTrust,
};
use crate::domain::{IssuerKind, trust};
use std::{collections::BTreeMap, net::IpAddr};

/// What is longer than a line of a form, or more than a page of them, is no binding.
const LONGEST_TEXT: usize = 512;
const MOST_CLAIMS: usize = 32;
/// Claims that every token is asked for anyway.
const OWN_CLAIMS: [(&str, &str); 7] = [
    ("iss", "--issuer"),
    ("aud", "--audience"),
    ("exp", "--token-life"),
    ("iat", "--token-life"),
    ("nbf", "--token-life"),
    ("jti", "--claim sub=…"),
    ("nonce", "--claim sub=…"),
];

/// Refuses what is no line of text, among what a trust says.
///
/// # Errors
/// `Usage`, naming it.
pub(super) fn legible(request: &AddTrust) -> Result<()> {
    readable("issuer", &request.issuer)?;
    readable("audience", &request.audience)?;
    if request.claims.len() > MOST_CLAIMS {
        return Err(Error::usage(format!("{} claims are named; {MOST_CLAIMS} are the most", request.claims.len())));
    }
    for (name, value) in &request.claims {
        readable("name of a claim", name)?;
        readable(&format!("claim {name}"), value)?;
    }
    Ok(())
}

/// Refuses what is no line of text, or holds a secret.
fn readable(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > LONGEST_TEXT {
        return Err(Error::usage(format!("the {what} has {} bytes: expected 1 to {LONGEST_TEXT}", text.len())));
    }
    free_text::one_line(what, &mut text.to_owned())
}

/// An issuer as it is: an address whose keys nobody on the way can replace.
pub(super) fn issuer(text: &str) -> Result<String> {
    let bad = |why: &str| {
        Error::usage(format!("'{text}' is not usable as an issuer"))
            .cause(why)
            .hint("--issuer https://HOST, exactly as the claim `iss` of its tokens says it")
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it does not begin with https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return Err(bad("expected a host, and neither user nor password"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['?', '#', '\\']) {
        return Err(bad("expected neither a query nor a fragment, nor blanks"));
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        "http" if is_this_machine(authority) => Ok(text.to_owned()),
        "http" => Err(bad("over plain HTTP somebody on the way could give keys of its own")),
        _ => Err(bad("it does not begin with https://")),
    }
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What kind of host an issuer is of: what is known of it is not talked away.
pub(super) fn kind(request: &AddTrust) -> Result<IssuerKind> {
    let known = IssuerKind::of_issuer(&request.issuer).or_else(|| IssuerKind::of_claims(&request.claims));
    match (request.kind, known) {
        (Some(said), Some(known)) if said != known => {
            Err(Error::usage(format!("this is an issuer of the kind {known}, not {said}"))
                .hint(format!("--kind {known}")))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => Ok(IssuerKind::Other),
    }
}

/// Refuses an audience that tokens have which are made for somebody else.
pub(super) fn audience(audience: &str, issuer: &str, kind: IssuerKind) -> Result<()> {
    let usual = audience.trim_end_matches('/') == issuer.trim_end_matches('/')
        || (kind == IssuerKind::GitHub && audience.starts_with("https://github.com/"))
        || (kind == IssuerKind::Kubernetes && audience.starts_with("https://kubernetes.default.svc"))
        || audience.starts_with("sts.")
        || audience.starts_with("api://AzureADTokenExchange");
    if !usual {
        return Ok(());
    }
    Err(Error::usage(format!("the audience '{audience}' is that of tokens for somebody else"))
        .cause("whoever gets such a token from a job could use it here")
        .hint("--audience https://YOUR-SERVER, which a job asks its host for"))
}

/// Refuses a binding that would let in others than it is meant for, and adds what it stands for besides itself.
pub(super) fn demands(kind: IssuerKind, claims: &mut BTreeMap<String, String>) -> Result<()> {
    for (name, value) in &*claims {
        if let Some(&(_, instead)) = OWN_CLAIMS.iter().find(|(own, _)| own == name) {
            return Err(Error::usage(format!("the claim '{name}' is none to bind a job by")).hint(instead));
        }
        if name != trust::REF && value.contains('*') {
            return Err(Error::usage(format!("the claim '{name}' is compared as it is: a pattern is for ref alone"))
                .hint(format!("--claim {name}=VALUE  (once for each trust)")));
        }
        if name == trust::REF && trust::is_pattern(value) {
            glob::Pattern::new(value)
                .map_err(|error| Error::usage("the claim 'ref' is no pattern").cause(error.to_string()))?;
        }
    }
    let lacks = |what: String, hint: String| {
        let error = Error::new(Kind::Usage, "binding", what);
        let names = "names can be given up and taken over by others, and a fork or a branch can carry them";
        Err(error.cause(names).hint(hint))
    };
    if let Some(id) = kind.repository_id() {
        let given = claims.get(id).map(String::as_str).unwrap_or_default();
        if given.is_empty() || !given.bytes().all(|byte| byte.is_ascii_digit()) {
            return lacks(
                format!("at {kind} a job is bound by the id of its repository, which is a number"),
                match kind {
                    IssuerKind::GitHub => {
                        "--claim repository_id=ID  (gh api repos/OWNER/REPOSITORY --jq .id)".to_owned()
                    }
                    _ => "--claim project_id=ID  (on the page of the project)".to_owned(),
                },
            );
        }
        if !claims.contains_key("environment") && !claims.contains_key(trust::REF) {
            return lacks(
                format!("at {kind} a job is bound by its environment or by a protected ref, too"),
                match kind {
                    IssuerKind::GitHub => "--claim environment=NAME, or --claim ref=refs/heads/main".to_owned(),
                    _ => "--claim environment=NAME, or --claim ref=main".to_owned(),
                },
            );
        }
    }
    if kind == IssuerKind::Kubernetes && !claims.contains_key("sub") {
        return lacks(
            "in a cluster a job is bound by its service account".to_owned(),
            "--claim sub=system:serviceaccount:NAMESPACE:NAME".to_owned(),
        );
    }
    if claims.is_empty() {
        return lacks("every job of the issuer would be let in".to_owned(), "--claim sub=SUBJECT".to_owned());
    }
    for name in kind.implied(claims) {
        match claims.get(name).map(String::as_str) {
            None => drop(claims.insert(name.to_owned(), "true".to_owned())),
            Some("true") => {}
            Some(_) => {
                return lacks(
                    format!(
                        "whoever may push to the repository chooses what is not protected: '{name}' is true, or nothing is bound"
                    ),
                    format!("--claim {name}=true"),
                );
            }
        }
    }
    Ok(())
}
