//! The schemas of values that have a text form or more than one shape, for the OpenAPI document.
//!
//! What derives `ToSchema` has its schema from its fields and their comments; here is what a derive cannot know.

use crate::{
    domain::{
        Allowlist, Code, Environment, Expiry, IssuerKind, Lookup, Notice, ObjectName, Overlap, RateLimit, Role,
        RotationId, Scope, Status,
    },
    ops::{Kind, ObjectKind, ObjectView, Progress, ScopeChange},
};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        AllOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::{AdditionalProperties, SchemaType},
    },
};

fn text(about: &str, examples: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about)).examples(examples.iter().copied())
}

fn words<'a>(about: &str, words: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    text(about, &[]).enum_values(Some(words)).into()
}

/// An object with one field, which is how an enum's variant with a value is written.
fn variant(name: &str, value: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    ObjectBuilder::new()
        .property(name, value)
        .required(name)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

fn whole(says: &str) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer).description(Some(says));
    number.minimum(Some(1)).maximum(Some(u32::MAX))
}

fn about(says: &str, schema: &str) -> AllOfBuilder {
    AllOfBuilder::new().item(Ref::from_schema_name(schema)).description(Some(says))
}

fn seconds() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("So many seconds."))
        .minimum(Some(1))
        .maximum(Some(crate::domain::time::MAX_SECONDS))
}

macro_rules! schema {
    ($($type:ty => $schema:expr;)*) => { $(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {}
    )* };
}

schema! {
    Environment => words(
        "Where a key works, and nowhere else. The short words of tokens (prod, stg, dev) are understood too.",
        Environment::ALL.map(Environment::as_str),
    );
    Status => words("The status, derived from facts at the time of the answer.", Status::ALL.map(Status::as_str));
    Notice => words("What a webhook can be told of.", Notice::ALL.map(Notice::as_str));
    IssuerKind => words("What kind of host an issuer is of.", IssuerKind::ALL.map(IssuerKind::as_str));
    Role => words("What an operator may do.", Role::ALL.map(Role::as_str));
    Code => words("The answer in a word.", Code::ALL.map(Code::as_str));
    Scope => text("A permission, `resource:level`; either part may be `*`, and `*` alone is both.", &["invoices:read"])
        .pattern(Some(r"^(\*|(\*|[a-z0-9][a-z0-9_.-]{0,63}):(\*|[a-z0-9][a-z0-9_.-]{0,63}))$"));
    ObjectName => text("A name: no control characters, no space at its ends, no `-` and no `key_` at its beginning.", &["billing-sync-prod"])
        .max_length(Some(128))
        .pattern(Some(r"^[^\s\-\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$"));
    Lookup => text("The public id of a version of a secret.", &["4fJq0Zt1XyLm8sWc"]).pattern(Some("^[0-9A-Za-z]{16}$"));
    RotationId => text("The id of a rotation.", &["rot_4fJq0Zt1XyLm8sWc"]);
    Allowlist => ArrayBuilder::new()
        .items(text("An address, or a range without bits beyond its prefix.", &["10.0.0.0/8", "2001:db8::1"]))
        .description(Some("Where a key may be used from; empty is anywhere."));
    RateLimit => ObjectBuilder::new()
        .description(Some("So many requests in a window."))
        .property("limit", whole("So many requests."))
        .property("window_seconds", whole("In so many seconds."))
        .required("limit")
        .required("window_seconds")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    Expiry => OneOfBuilder::new()
        .description(Some("When a key ends: never, so many seconds after its creation, or at a time."))
        .item(text("Never.", &[]).enum_values(Some(["never"])))
        .item(variant("in", seconds()))
        .item(variant("at", text("The time.", &[]).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))));
    Overlap => OneOfBuilder::new()
        .description(Some("What becomes of the old secret: it stops now, or goes on working for so long."))
        .item(text("`now`, or how long, such as `2h`.", &["2h", "now"]).pattern(Some("^(now|[1-9][0-9]{0,3}[smhd])$")))
        .item(variant("for", seconds()));
    ScopeChange => OneOfBuilder::new()
        .description(Some("A change of the catalogue: a scope is added or removed, or the catalogue closed against scopes that are not declared, or opened."))
        .item(variant("add", about("The scope to add.", "AddScope")))
        .item(variant("remove", Scope::schema()))
        .item(text("Refuses scopes that are not declared.", &[]).enum_values(Some(["close"])))
        .item(text("Declares scopes by first use again.", &[]).enum_values(Some(["open"])));
    ObjectView => super::workspace::ObjectBody::schema();
    ObjectKind => words("The kind.", ObjectKind::ALL.map(|kind| format!("{}s", kind.noun())).iter().map(String::as_str));
}

impl PartialSchema for Progress {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
        .description(Some("What happened to the secret at a sink, or is about to."))
        .item(text("The secret is about to be handed over.", &[]).enum_values(Some(["intended"])))
        .item(variant("delivered", text("The sink has acknowledged it; what it said, without any value.", &[])))
        .item(variant("failed", text("The sink does not hold it; why.", &[])))
        .item(variant(
            "unproven",
            text("The caller goes on no further although the sink holds the secret, or may; why. The next caller need not wait.", &[]),
        ))
        .item(variant(
            "read_back",
            text("What was read back from the sink after an interruption.", &[])
                .schema_type(SchemaType::from_iter([Type::String, Type::Null])),
        )).into()
    }
}

impl ToSchema for Progress {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProgressBody")
    }
}

/// The code of a problem: that of the command line's exit codes, or of a verdict.
pub struct ProblemCode;

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let kinds = Kind::ALL.map(Kind::name);
        let verdicts = Code::ALL.map(Code::as_str).into_iter().filter(|code| *code != Code::Valid.as_str());
        words(
            "An error, named as in the exit codes of the command line, or the refusal of a key.",
            kinds.into_iter().chain(verdicts),
        )
    }
}

impl ToSchema for ProblemCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProblemCode")
    }
}
