//! TLS by certificate and key files, read again when they change or on SIGHUP.

use crate::ops::{Error, Kind, Result};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use tokio_rustls::TlsAcceptor;

/// The files of a certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The certificate in use.
#[derive(Clone)]
pub(super) struct Tls {
    files: TlsFiles,
    current: Arc<ArcSwap<ServerConfig>>,
    written: Arc<Mutex<Written>>,
}

/// When the files were last written.
type Written = [Option<SystemTime>; 2];

fn written(files: &TlsFiles) -> Written {
    [&files.certificate, &files.key].map(|path| path.metadata().and_then(|found| found.modified()).ok())
}

fn refused(path: &Path, cause: impl ToString) -> Error {
    Error::new(Kind::Usage, "tls", format!("{} is not usable for TLS", path.display())).cause(cause.to_string())
}

impl Tls {
    /// Reads the files.
    pub(super) fn open(files: &TlsFiles) -> Result<Self> {
        let written = Arc::new(Mutex::new(written(files)));
        Ok(Self { files: files.clone(), current: Arc::new(ArcSwap::new(read(files)?)), written })
    }

    /// Reads the files again, when asked to or when they have changed; says whether it did. What cannot be used
    /// changes nothing.
    pub(super) fn renew(&self, asked: bool) -> Result<bool> {
        let written = written(&self.files);
        let mut last = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked && *last == written {
            return Ok(false);
        }
        // Remembered before it is read: files that are not usable are told once, not at every look.
        *last = written;
        self.current.store(read(&self.files)?);
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| refused(&files.certificate, error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refused(&files.key, error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&files.certificate, error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| refused(&files.certificate, error))?;
    Ok(Arc::new(config))
}
