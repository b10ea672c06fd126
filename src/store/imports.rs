//! How imported digests came about: a few rows for the whole vault, so that a foreign secret is hashed a few times only.

use super::{
    error::{Error, Result},
    objects::{Kind, ObjectRecord},
    tx::Tx,
    view::View,
};
use crate::domain::Form;

impl View<'_> {
    /// The forms of all imported digests; none when nothing was ever imported.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn import_forms(&self) -> Result<Vec<Form>> {
        let records = self.objects(Kind::ImportForm, "")?.into_iter();
        let mut forms = records
            .map(|record| serde_json::from_str(&record.name).map_err(|_| Error::Damaged(None)))
            .collect::<Result<Vec<Form>>>()?;
        forms.sort();
        Ok(forms)
    }
}

impl Tx<'_> {
    /// Keeps a form.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_import_form(&mut self, form: &Form) -> Result<()> {
        // Three texts and a switch: this cannot fail.
        let name = serde_json::to_string(form).map_err(|_| Error::Damaged(None))?;
        self.put_object(Kind::ImportForm as i64, &ObjectRecord { name, ..ObjectRecord::default() })
    }
}
