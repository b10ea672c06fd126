//! What is read again while the server serves: certificates when their files change, and on SIGHUP everything that comes from
//! files, with a word in the log about each.

use super::{
    app::App,
    service_manager::{ServiceManager, Word},
    tls::Tls,
};
use crate::ops::Result;
use std::{sync::Arc, time::Duration};

/// How long SIGHUP waits for the keystore: a watchdog must not find the server waiting.
const CATCH_UP: Duration = Duration::from_secs(2);

/// What can be read again.
pub(super) struct Reload {
    pub(super) app: Arc<App>,
    pub(super) tls: Option<Tls>,
}

impl Reload {
    /// Takes up a certificate whose files have changed.
    pub(super) fn look(&self) {
        self.certificate(false);
    }

    /// Reads everything again, for whoever asked: what cannot be used changes nothing, and is told.
    pub(super) async fn all(&self, manager: &ServiceManager) {
        manager.tell(Word::Reloading);
        self.certificate(true);
        self.routes();
        // Keys and policies come from the keystore alone, and are heeded within a second anyway.
        let caught_up = tokio::time::timeout(CATCH_UP, self.app.wake.caught_up()).await;
        if caught_up.is_ok() && self.app.engine.available(chrono::Utc::now()).is_ok() {
            tracing::info!(secrets = self.app.engine.size(), "keys and policies are as the keystore has them");
        } else {
            tracing::error!("keys and policies could not be read again");
        }
        manager.tell(Word::Ready);
    }

    fn certificate(&self, asked: bool) {
        let Some(tls) = &self.tls else { return };
        match tls.renew(asked) {
            Ok(true) => tracing::info!("the certificate was read again"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, causes = ?error.causes, "the certificate in use stays in use"),
        }
    }

    fn routes(&self) {
        let Some(table) = &self.app.doors.routes else { return };
        let read = || -> Result<_> {
            let read = table.load().again()?;
            self.app.doors.serves.only().map_or(Ok(()), |environment| read.must_be_of(environment))?;
            Ok(read)
        };
        match read() {
            Ok(read) => {
                tracing::info!(routes = read.len(), "the route table was read again");
                table.store(Arc::new(read));
            }
            Err(error) => tracing::error!(%error, causes = ?error.causes, "the route table in use stays in use"),
        }
    }
}
