//! Sockets: TCP with or without TLS, Unix sockets, and those that systemd hands over. Connections are one of a limited
//! number; what happens on one is in [`super::connection`].

use super::{connection::Doors, tls::Tls};
use crate::ops::{Error, Kind, Result};
use std::{
    fmt, fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, UnixListener};

const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("expected a path after unix:".to_owned()),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| "expected an address and a port, such as 127.0.0.1:8787, or unix:PATH".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Ip(IpAddr),
    /// A process of this machine, over a Unix socket.
    Local,
}

/// A bound socket.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: Option<RemoveOnDrop> },
}

/// Removes the file of a Unix socket, unless another one is in its place by then.
pub(super) struct RemoveOnDrop {
    path: PathBuf,
    /// The device and the inode of what was bound.
    own: Option<(u64, u64)>,
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl RemoveOnDrop {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), own: identity(path) }
    }
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if self.own.is_some() && identity(&self.path) == self.own {
            // Nothing can be done about a socket file that stays: the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot_listen(address: &Address, error: &io::Error) -> Error {
    Error::new(Kind::Unavailable, "listen", format!("cannot listen on {address}")).cause(error.to_string())
}

impl Listener {
    /// Binds; a socket file that nobody listens on any more is replaced, and the new one has this mode. When nothing is
    /// said its owner and group may connect, unless the umask leaves the group nothing.
    pub(super) async fn bind(address: &Address, mode: Option<u32>) -> Result<Self> {
        let failed = |error: io::Error| cannot_listen(address, &error);
        match address {
            Address::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await.map_err(failed)?)),
            Address::Unix(path) => {
                let stale = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
                    && tokio::net::UnixStream::connect(path).await.is_err();
                if stale {
                    fs::remove_file(path).map_err(failed)?;
                }
                let listener = UnixListener::bind(path).map_err(failed)?;
                // What the system gave it has the umask taken off already.
                let given = fs::symlink_metadata(path).map_err(failed)?.permissions().mode();
                let usual = if given & 0o070 == 0 { 0o600 } else { 0o660 };
                let mode = mode.unwrap_or(usual);
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
                Ok(Self::Unix { listener, _file: Some(RemoveOnDrop::new(path)) })
            }
        }
    }

    /// The sockets that systemd opened for us; empty when there are none.
    pub(super) fn inherited() -> Result<Vec<Self>> {
        let mut handed = listenfd::ListenFd::from_env();
        let failed = |error: io::Error| {
            Error::new(Kind::Unavailable, "listen", "a socket that was handed over is not usable")
                .cause(error.to_string())
        };
        let mut listeners = Vec::new();
        for index in 0..handed.len() {
            // Asking for the wrong kind is an error that leaves the socket for the other.
            if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
                listener.set_nonblocking(true).map_err(failed)?;
                listeners.push(Self::Tcp(TcpListener::from_std(listener).map_err(failed)?));
            } else if let Some(listener) = handed.take_unix_listener(index).map_err(failed)? {
                listener.set_nonblocking(true).map_err(failed)?;
                let listener = UnixListener::from_std(listener).map_err(failed)?;
                listeners.push(Self::Unix { listener, _file: None });
            }
        }
        Ok(listeners)
    }

    /// Whether anybody but this machine can reach it.
    pub(super) fn reaches_beyond(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or(true, |address| !address.ip().is_loopback()),
            Self::Unix { .. } => false,
        }
    }

    /// How a client names it.
    pub(super) fn url(&self, tls: bool) -> String {
        match self {
            Self::Tcp(listener) => {
                let scheme = if tls { "https" } else { "http" };
                listener.local_addr().map_or_else(|_| scheme.to_owned(), |address| format!("{scheme}://{address}"))
            }
            Self::Unix { listener, .. } => {
                let path = listener.local_addr().ok().and_then(|address| address.as_pathname().map(PathBuf::from));
                path.map_or_else(|| "unix:".to_owned(), |path| format!("unix:{}", path.display()))
            }
        }
    }

    /// Accepts connections until the shutdown is told.
    pub(super) async fn accept(self, doors: Doors) {
        let mut stop = doors.app.stop.subscribe();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = self.next() => accepted,
            };
            // One connection beyond the limit waits here, the others in the system's queue. A place that was taken before
            // there is a connection would be kept from the other listeners.
            let place = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                place = Arc::clone(&doors.places).acquire_owned() => match place { Ok(place) => place, Err(_) => return },
            };
            let doors = doors.clone();
            match accepted {
                Ok((Stream::Tcp(stream), peer)) => {
                    // Small answers must not wait for more.
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(async move {
                        match doors.tls.as_ref().map(Tls::acceptor) {
                            None => doors.serve(stream, peer).await,
                            Some(acceptor) => match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await
                            {
                                Ok(Ok(stream)) => doors.serve(stream, peer).await,
                                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                                Err(_) => tracing::debug!("a TLS handshake took too long"),
                            },
                        }
                        drop(place);
                    });
                }
                Ok((Stream::Unix(stream), peer)) => {
                    tokio::spawn(async move {
                        doors.serve(stream, peer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: connections must end before more can come.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn next(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Ip(address.ip().to_canonical())))
            }
            Self::Unix { listener, .. } => Ok((Stream::Unix(listener.accept().await?.0), Peer::Local)),
        }
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}
