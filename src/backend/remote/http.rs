//! One call over HTTP: the circumstances as headers, the answer as a value or as the error it tells.

use super::{
    Onlooker, Remote,
    credential::bearer,
    reply::{LONGEST_PAUSE, Refused, SILENT, answer, away, understood},
};
use crate::{
    backend::procedure::Procedure,
    ops::{
        Context, Error, Kind, Result,
        case::{self, Ask, Change, UseCase},
    },
    wire::{
        header,
        packed::{Packed, written},
        problem::{SERVER_BUSY, TOO_MANY},
        told::Told,
    },
};
use backon::{BlockingRetryable, ExponentialBuilder};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method,
    blocking::{RequestBuilder, Response},
    header::AUTHORIZATION,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use zeroize::Zeroizing;

/// What stands in a path or a header as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RETRIES: usize = 3;
/// How long an answer may take of what looks at every key or at the whole trail, or makes very many keys.
const LONG_TIME: Duration = Duration::from_secs(300);
/// Those that are no declared use cases, which say it of themselves.
const LONG: [&[&str]; 2] = [&["v1", "keys", "bulk"], &["v1", "audit", "verify"]];
/// How long an answer may be read that comes bit by bit.
const STREAM_TIME: Duration = Duration::from_secs(3600);

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

impl Remote {
    /// Asks for what a use case answers; repeated while the server is away or busy.
    pub(in crate::backend) fn asked<Q: Ask>(&self, cx: &Context, request: &Q) -> Result<Q::Outcome>
    where
        Q::Outcome: Told,
    {
        self.called(cx, request, Repeat::Always)
    }

    /// Has a use case change something; repeated only where that can have no second effect.
    pub(in crate::backend) fn changed<C: Change>(&self, cx: &Context, request: &C) -> Result<C::Outcome>
    where
        C::Outcome: Told,
    {
        cx.writable()?;
        self.called(cx, request, Repeat::Never)
    }

    /// Has a procedure run; repeated where it changes nothing, or where the server knows it again.
    pub(in crate::backend) fn ran<P: Procedure>(&self, cx: &Context, mut request: P) -> Result<P::Outcome>
    where
        P::Outcome: Told,
    {
        if !request.changes() {
            return self.called(cx, &request, Repeat::Always);
        }
        cx.writable()?;
        let key = request.idempotency_key().and_then(|key| key.clone());
        self.called(cx, &request, key.as_deref().map_or(Repeat::Never, Repeat::By))
    }

    fn called<Q: UseCase>(&self, cx: &Context, request: &Q, repeat: Repeat<'_>) -> Result<Q::Outcome>
    where
        Q::Outcome: Told,
    {
        let packed = if self.of_holder { Packed::short(request) } else { Packed::of(request) };
        let Packed { path, query, body } = packed?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let method = match Q::ROUTE.method {
            case::Method::Get => return Q::Outcome::read(self.get(Some(cx), &path, &query)?),
            case::Method::Post => Method::POST,
            case::Method::Put => Method::PUT,
            case::Method::Patch => Method::PATCH,
            case::Method::Delete => Method::DELETE,
        };
        let told = self.send(cx, &Call { long: Q::ROUTE.long, ..Call::of(method, &path, &query, repeat) }, body);
        Q::Outcome::read(told.map_err(|refused| *refused.error)?)
    }

    /// Reads; repeated while the server is away or busy.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        cx: Option<&Context>,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> Result<T> {
        let bytes = self.call(true, || Ok(self.request(cx, Method::GET, path)?.query(query)));
        understood(&bytes.map_err(|refused| *refused.error)?)
    }

    /// Changes; repeated only where that can have no second effect.
    pub(super) fn change<T: DeserializeOwned>(
        &self,
        cx: &Context,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
    ) -> Result<T> {
        self.change_or_refused(cx, method, path, query, body).map_err(|refused| *refused.error)
    }

    pub(super) fn change_or_refused<T: DeserializeOwned>(
        &self,
        cx: &Context,
        method: Method,
        path: &[&str],
        query: &[(&'static str, String)],
        body: &impl Serialize,
    ) -> Result<T, Refused> {
        cx.writable()?;
        self.post(cx, &Call::of(method, path, query, Repeat::Never), body)
    }

    /// Asks with a body, and changes nothing: repeated as [`Remote::get`] is.
    pub(super) fn ask<T: DeserializeOwned>(&self, cx: &Context, path: &[&str], body: &impl Serialize) -> Result<T> {
        self.post(cx, &Call::of(Method::POST, path, &[], Repeat::Always), body).map_err(|refused| *refused.error)
    }

    fn post<T: DeserializeOwned>(&self, cx: &Context, call: &Call<'_>, body: &impl Serialize) -> Result<T, Refused> {
        self.send(cx, call, written(body)?)
    }

    /// The body is the same memory at every try, and wiped after the last one.
    fn send<T: DeserializeOwned>(&self, cx: &Context, call: &Call<'_>, body: Zeroizing<Vec<u8>>) -> Result<T, Refused> {
        let body = Bytes::from_owner(body);
        let bytes = self.call(!matches!(call.repeat, Repeat::Never), || {
            let mut request = self.request(Some(cx), call.method.clone(), call.path)?.query(call.query);
            request = request.header("content-type", "application/json").body(body.clone());
            if call.long {
                request = request.timeout(LONG_TIME);
            }
            if let Repeat::By(key) = call.repeat {
                request = request.header(header::IDEMPOTENCY_KEY, encoded(key));
            }
            Ok(request)
        })?;
        Ok(understood(&bytes)?)
    }

    /// Asks once for an answer that is read as it comes.
    pub(super) fn stream(&self, cx: &Context, path: &[&str], query: &[(&'static str, String)]) -> Result<Response> {
        let request = self.request(Some(cx), Method::POST, path)?.query(query).timeout(STREAM_TIME);
        let response = request.send().map_err(|error| away(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let refused = answer(response).err().map(|refused| *refused.error);
        Err(refused.unwrap_or_else(|| Error::new(Kind::Internal, "reply", "an answer without a status")))
    }

    fn request(&self, cx: Option<&Context>, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        let mut url = self.base.clone();
        // The holder of a key has the steps of a rotation at its own door.
        let door = match path {
            ["v1", "rotations", ..] if self.of_holder => (&["v1", "self"][..], 1),
            ["v1", "keys", _, "rotations"] if self.of_holder => (&["v1", "self"][..], 3),
            _ => (&[][..], 0),
        };
        let path = door.0.iter().chain(path.iter().skip(door.1));
        let path: Vec<String> = path.map(|segment| encoded(segment)).collect();
        // A proxy may have the server below a path of its own.
        let below = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{below}/{}", path.join("/")));
        let credential = bearer(&self.credential.current()?)?;
        let mut request = self.client.request(method, url).header(AUTHORIZATION, credential);
        if let Some(workspace) = &self.workspace {
            request = request.header(header::WORKSPACE, encoded(workspace));
        }
        let Some(cx) = cx else { return Ok(request) };
        for (name, value) in [(header::REASON, &cx.reason), (header::TICKET, &cx.ticket)] {
            if let Some(value) = value {
                request = request.header(name, encoded(value));
            }
        }
        if cx.dry_run {
            request = request.header(header::DRY_RUN, "true");
        }
        if cx.rehearses {
            request = request.header(header::REHEARSAL, "true");
        }
        if let Some(version) = cx.expected_version {
            request = request.header("if-match", format!("\"v{version}\""));
        }
        Ok(request)
    }

    fn call(&self, repeatable: bool, make: impl Fn() -> Result<RequestBuilder>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(RETRIES)
            .with_jitter();
        let failed = RefCell::new(None::<String>);
        let once = || {
            if let (Some(onlooker), Some(why)) = (&self.onlooker, &*failed.borrow()) {
                onlooker.waits_again(why);
            }
            let sent = make()?.send().map_err(|error| away(&error))?;
            answer(sent)
        };
        // What the server asked for is waited for, and no less than that.
        let asked_for = Rc::new(Cell::new(Duration::ZERO));
        let heard = Rc::clone(&asked_for);
        let pause = move |own: Duration| heard.get().max(own);
        let sleep = pause.clone();
        let _watched = self.onlooker.as_deref().map(Watched::begin);
        once.retry(backoff)
            .sleep(move |own| std::thread::sleep(sleep(own)))
            .when(|refused| is_worth_another_try(refused, repeatable))
            .notify(|refused, own| {
                asked_for.set(refused.retry_after.unwrap_or_default());
                let (error, pause) = (&refused.error, pause(own));
                tracing::info!(%error, ?pause, "the call is tried again");
                if let Some(onlooker) = &self.onlooker {
                    onlooker.again(&error.message, pause);
                }
                failed.replace(Some(error.message.clone()));
            })
            .call()
    }
}

/// A call with a body.
struct Call<'c> {
    method: Method,
    path: &'c [&'c str],
    query: &'c [(&'static str, String)],
    repeat: Repeat<'c>,
    /// Whether the answer may take minutes.
    long: bool,
}

impl<'c> Call<'c> {
    fn of(method: Method, path: &'c [&'c str], query: &'c [(&'static str, String)], repeat: Repeat<'c>) -> Self {
        Self { method, path, query, repeat, long: LONG.contains(&path) }
    }
}

/// Whether a call that may have come to the server is repeated.
enum Repeat<'k> {
    /// It could change something twice.
    Never,
    /// It changes nothing.
    Always,
    /// The server knows it again by this key.
    By(&'k str),
}

/// A call that somebody watches, until it ends.
struct Watched<'o>(&'o dyn Onlooker);

impl<'o> Watched<'o> {
    fn begin(onlooker: &'o dyn Onlooker) -> Self {
        onlooker.waits();
        Self(onlooker)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.ends();
    }
}

/// Whether a call may and should be repeated. What never reached the server, or found it too busy to begin, can have had no
/// effect. One that let us wait for as long as we do would do so again.
fn is_worth_another_try(refused: &Refused, repeatable: bool) -> bool {
    let error = &refused.error;
    if refused.retry_after.is_some_and(|wait| wait > LONGEST_PAUSE) {
        return false;
    }
    match &*error.reason {
        "connect" | SERVER_BUSY | TOO_MANY => true,
        SILENT => false,
        _ => repeatable && matches!(error.kind, Kind::Unavailable | Kind::Busy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_have_had_no_effect_is_tried_again_and_what_let_us_wait_is_not() {
        let tried = |kind, reason: &'static str| {
            let refused = Refused::from(Error::new(kind, reason, "what"));
            [true, false].map(|repeatable| is_worth_another_try(&refused, repeatable))
        };
        assert_eq!(tried(Kind::Unavailable, "connect"), [true, true]);
        assert_eq!(tried(Kind::Busy, SERVER_BUSY), [true, true]);
        assert_eq!(tried(Kind::Busy, TOO_MANY), [true, true]);
        assert_eq!(tried(Kind::Busy, "busy"), [true, false]);
        assert_eq!(tried(Kind::Unavailable, "network"), [true, false]);
        assert_eq!(tried(Kind::Unavailable, SILENT), [false, false]);
        assert_eq!(tried(Kind::Conflict, "exists"), [false, false]);
        let patient = Refused {
            retry_after: Some(LONGEST_PAUSE + Duration::from_secs(1)),
            ..Error::new(Kind::Busy, SERVER_BUSY, "what").into()
        };
        assert!(!is_worth_another_try(&patient, true), "nobody waits for so long");
    }
}
