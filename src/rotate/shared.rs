//! One destination for two secrets: the later delivery would replace the earlier one, and a secret that somebody needs
//! would be lost although every receipt is true. All keys of a run are compared before the first is touched.

use super::target::{Target, Targets};
use crate::ops::{Error, KeyView, Result};

impl Targets {
    /// Refuses a run in which two deliveries meet. What cannot be resolved is the key's own failure, later.
    ///
    /// # Errors
    /// See [`refuse_shared`].
    pub fn refuse_shared<'k>(&self, keys: impl IntoIterator<Item = &'k KeyView>) -> Result<()> {
        let resolved = keys.into_iter().filter_map(|key| Some((key, self.for_key(key).ok().flatten()?)));
        let resolved: Vec<(&KeyView, Target)> = resolved.collect();
        refuse_shared(resolved.iter().map(|(key, target)| (*key, target)))
    }
}

/// Refuses deliveries of which two meet, of different keys or of one.
///
/// # Errors
/// `Usage`, with both keys and sinks.
pub fn refuse_shared<'t>(all: impl Iterator<Item = (&'t KeyView, &'t Target)>) -> Result<()> {
    let mut sinks: Vec<_> = all.flat_map(|(key, target)| target.sinks.iter().map(move |sink| (key, sink))).collect();
    // Only what shares a holder is compared in pairs; there may be thousands of keys.
    sinks.sort_by(|(_, one), (_, other)| one.place().cmp_holder(other.place()));
    for beside in sinks.chunk_by(|(_, one), (_, other)| one.place().is_beside(other.place())) {
        for (at, (key, sink)) in beside.iter().enumerate() {
            let met = beside[at + 1..].iter().find(|(_, other)| sink.place().meets(other.place()));
            if let Some((other_key, other)) = met {
                return Err(shared((key, sink.name()), (other_key, other.name())));
            }
        }
    }
    Ok(())
}

fn shared(one: (&KeyView, &str), other: (&KeyView, &str)) -> Error {
    let named = |key: &KeyView| format!("{} ({}, {})", key.name, key.id, key.environment);
    let error = if one.0.id == other.0.id {
        Error::usage(format!("{} and {} are one destination, named twice for {}", one.1, other.1, named(one.0)))
            .hint("name every destination once")
    } else {
        let sinks = if one.1 == other.1 { one.1.to_owned() } else { format!("{} and {}", one.1, other.1) };
        Error::usage(format!("two keys would be delivered to one destination, which keeps one secret: {sinks}"))
            .cause(format!("{} and {}", named(one.0), named(other.0)))
            .hint("tell them apart with placeholders, such as {env} and {name}, or {id}: file:/run/keys/{env}/{name}")
    };
    error.cause("nothing was minted")
}
