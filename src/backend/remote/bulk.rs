//! Many keys at once: created in one request, tried in as many as it takes.

use super::{Remote, reply::Refused};
use crate::{
    backend::BulkError,
    ops::{Context, CreateMany, Created, EntryError, EntryErrors, Error, Kind, Result},
    wire::{
        keys::{CreatedList, RefusedEntries, within_bulk},
        problem::{SERVER_BUSY, TOO_MANY},
        told::Told,
    },
};
use reqwest::Method;

/// How many keys go in one request where there are more: others wait for little.
pub const SLICE: usize = 1_000;

const PATH: [&str; 3] = ["v1", "keys", "bulk"];

impl Remote {
    /// See [`Backend::create_many`](crate::backend::Backend::create_many).
    pub(super) fn made_in_bulk(
        &self,
        cx: &Context,
        request: CreateMany,
        progress: &mut dyn FnMut(usize),
        keep: &mut dyn FnMut(&[Created]) -> Result<()>,
    ) -> Result<Vec<Created>, BulkError> {
        if cx.dry_run {
            return self.tried_in_slices(cx, request, progress);
        }
        within_bulk(request.keys.len()).map_err(|error| {
            BulkError::Whole(
                error.hint("keyward create --from FILE --out NEW   (makes them in as many requests as it takes)"),
            )
        })?;
        let made = self.in_one_request(cx, &request)?;
        progress(made.len());
        keep(&made).map_err(BulkError::Whole)?;
        Ok(made)
    }

    /// What would come of it, asked bit by bit: a server is not kept from others for as long as a big file takes.
    fn tried_in_slices(
        &self,
        cx: &Context,
        CreateMany { keys, before }: CreateMany,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Created>, BulkError> {
        let (mut made, mut wrong, mut asked) = (Vec::with_capacity(keys.len()), EntryErrors::default(), 0);
        let (mut keys, mut cx) = (keys.into_iter(), cx.clone());
        loop {
            let slice: Vec<_> = keys.by_ref().take(SLICE).collect();
            let count = slice.len();
            if count == 0 && asked > 0 {
                break;
            }
            match self.in_one_request(&cx, &CreateMany { keys: slice, before: before + asked }) {
                Ok(slice) => made.extend(slice),
                Err(BulkError::Entries(entries)) => {
                    // The refusal of a file is one event, in however many requests it is tried.
                    cx.rehearses &= !entries.as_one().is_refusal();
                    wrong.extend(asked, entries);
                }
                Err(whole) => return Err(whole),
            }
            asked += count;
            progress(asked);
            if count < SLICE {
                break;
            }
        }
        if wrong.is_empty() { Ok(made) } else { Err(BulkError::Entries(wrong)) }
    }

    fn in_one_request(&self, cx: &Context, request: &CreateMany) -> Result<Vec<Created>, BulkError> {
        match self.change_or_refused::<CreatedList>(cx, Method::POST, &PATH, &[], request) {
            Ok(list) => list.items.into_iter().map(Created::read).collect::<Result<_>>().map_err(BulkError::Whole),
            Err(refused) => Err(entries_of(refused)),
        }
    }
}

/// Whether the server certainly made no key.
#[must_use]
pub fn had_no_effect(error: &Error) -> bool {
    let refused = [Kind::Usage, Kind::Auth, Kind::Forbidden, Kind::NotFound, Kind::Conflict];
    refused.contains(&error.kind) || matches!(&*error.reason, "connect" | SERVER_BUSY | TOO_MANY)
}

fn entries_of(refused: Refused) -> BulkError {
    match serde_json::from_slice::<RefusedEntries>(&refused.body) {
        Ok(told) => {
            let entries = told.entries.into_iter();
            let entries = entries.map(|one| EntryError { index: one.index, error: one.problem.into() });
            BulkError::Entries(EntryErrors { told: entries.collect(), others: told.others })
        }
        Err(_) => BulkError::Whole(*refused.error),
    }
}
