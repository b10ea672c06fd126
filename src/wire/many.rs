//! Many keys changed in one request.

use super::{problem::Problem, told::Told};
use crate::ops::{
    Change, Error, KeyView, Kind, Result,
    many::{KeyChanged, KeysChanged},
};
use serde::{Deserialize, Serialize};

/// What became of each key.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct KeysChangedReply {
    /// `keyward.key-changes/v1`.
    pub schema: String,
    /// In the order of the request.
    pub items: Vec<KeyChangedItem>,
}

/// What became of one key.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct KeyChangedItem {
    /// The key afterwards; one that was deleted, as it was. Absent where the change is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyView>,
    /// Whether anything changed.
    pub changed: bool,
    /// What changed, where fields did.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// What the caller should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Why the key stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl From<Result<KeyChanged>> for KeyChangedItem {
    fn from(one: Result<KeyChanged>) -> Self {
        match one {
            Ok(KeyChanged { key, changed, changes, notes }) => {
                Self { key: Some(key), changed, changes, notes, error: None }
            }
            Err(error) => Self { error: Some(Problem::from(&error)), ..Self::default() },
        }
    }
}

impl Told for KeysChanged {
    type Body = KeysChangedReply;

    fn tell(self) -> KeysChangedReply {
        let items = self.items.into_iter().map(KeyChangedItem::from).collect();
        KeysChangedReply { schema: "keyward.key-changes/v1".to_owned(), items }
    }

    fn read(body: KeysChangedReply) -> Result<Self> {
        let read = |KeyChangedItem { key, changed, changes, notes, error }: KeyChangedItem| match (key, error) {
            (_, Some(problem)) => Err(problem.into()),
            (Some(key), None) => Ok(KeyChanged { key, changed, changes, notes }),
            (None, None) => Err(Error::new(
                Kind::Internal,
                "reply",
                "the server tells of a key neither that it was changed nor why not",
            )),
        };
        Ok(Self { items: body.items.into_iter().map(read).collect() })
    }
}
