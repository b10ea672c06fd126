//! Where the trail is streamed to, and when a place has confirmed what it was sent.
//!
//! A file confirms when it is on the disk. A web server confirms with a success. Syslog has no confirmation of its own:
//! over TCP each batch has a connection that is closed for writing, and a receiver that closes it in turn has read all of
//! it; a Unix socket is the system's own. UDP loses without telling and is not offered.

use crate::{anchor, files};
use std::{
    fmt,
    io::{Read, Seek, SeekFrom, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a receiver may take to accept a batch, and to confirm it.
const CONFIRM_TIME: Duration = Duration::from_secs(20);

/// A place that events are streamed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamPlace {
    /// Appended to a file, durably.
    File(PathBuf),
    /// Posted to a URL, as many lines as there are.
    Http(String),
    /// Sent to a syslog receiver over TCP, framed by octet counting (RFC 6587).
    SyslogTcp(String),
    /// Sent to the syslog of this machine, such as `/dev/log`.
    SyslogUnix(PathBuf),
}

impl FromStr for StreamPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected file:PATH, https://URL, syslog:HOST:PORT or syslog:unix:PATH".to_owned();
        match text.split_once(':').ok_or_else(expected)? {
            ("file", path) if !path.is_empty() => Ok(Self::File(path.into())),
            ("https", _) => Ok(Self::Http(text.to_owned())),
            ("http", _) if is_loopback(text) => Ok(Self::Http(text.to_owned())),
            ("http", _) => Err("events are sent by https:// alone, except to this machine".to_owned()),
            ("syslog", place) => match place.split_once(':') {
                Some(("unix", path)) if !path.is_empty() => Ok(Self::SyslogUnix(path.into())),
                _ if place
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) =>
                {
                    Ok(Self::SyslogTcp(place.to_owned()))
                }
                _ => Err(expected()),
            },
            _ => Err(expected()),
        }
    }
}

fn is_loopback(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    plain == "localhost" || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Without credentials and query.
impl fmt::Display for StreamPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Http(url) => anchor::Anchor::Http(url.clone()).fmt(f),
            Self::SyslogTcp(address) => write!(f, "syslog:{address}"),
            Self::SyslogUnix(path) => write!(f, "syslog:unix:{}", path.display()),
        }
    }
}

impl StreamPlace {
    /// The whole place, by which it is known again.
    pub(super) fn spec(&self) -> String {
        match self {
            Self::Http(url) => url.clone(),
            other => other.to_string(),
        }
    }

    pub(super) fn is_syslog(&self) -> bool {
        matches!(self, Self::SyslogTcp(_) | Self::SyslogUnix(_))
    }

    /// Sends lines, and returns once they are confirmed; `name` is the same for the same lines.
    pub(super) fn send(&self, name: &str, media_type: &str, lines: &[String]) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        match self {
            Self::File(path) => append(path, lines).map_err(told),
            Self::Http(url) => {
                let body: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
                anchor::post(url, &[("content-type", media_type), ("idempotency-key", name)], body)
            }
            Self::SyslogTcp(address) => send_framed(address, lines).map_err(told),
            Self::SyslogUnix(path) => {
                let socket = UnixDatagram::unbound().map_err(told)?;
                socket.set_write_timeout(Some(CONFIRM_TIME)).map_err(told)?;
                lines.iter().try_for_each(|line| socket.send_to(line.as_bytes(), path).map(drop)).map_err(told)
            }
        }
    }
}

/// Appends lines and makes them durable. Half a line that an earlier power cut left is ended: its event comes again.
fn append(path: &Path, lines: &[String]) -> std::io::Result<()> {
    let mut file = files::open_private(path)?;
    file.lock()?;
    let mut text = String::new();
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            text.push('\n');
        }
    }
    lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    files::sync_dir_of(path)
}

fn send_framed(address: &str, lines: &[String]) -> std::io::Result<()> {
    let mut failed = std::io::Error::other("the name of the receiver has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(stream) => return confirmed(stream, lines),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn confirmed(mut stream: TcpStream, lines: &[String]) -> std::io::Result<()> {
    stream.set_write_timeout(Some(CONFIRM_TIME))?;
    stream.set_read_timeout(Some(CONFIRM_TIME))?;
    let framed: String = lines.iter().map(|line| format!("{} {line}", line.len())).collect();
    stream.write_all(framed.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    // A receiver that is killed, or closes with something unread, resets the connection instead.
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_told_without_credentials() {
        for (text, told) in [
            ("file:/var/log/trail.jsonl", "file:/var/log/trail.jsonl"),
            ("https://user:pass@siem.example/in?token=x", "https://siem.example"),
            ("http://127.0.0.1:9000/in", "http://127.0.0.1:9000"),
            ("http://[::1]:9000/in", "http://[::1]:9000"),
            ("syslog:logs.example:601", "syslog:logs.example:601"),
            ("syslog:unix:/dev/log", "syslog:unix:/dev/log"),
        ] {
            assert_eq!(text.parse::<StreamPlace>().unwrap().to_string(), told);
        }
        for bad in
            ["", "file:", "syslog:", "syslog:host", "syslog:host:x", "udp:host:1", "/x", "http://siem.example/in"]
        {
            assert!(bad.parse::<StreamPlace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn half_a_line_is_ended_before_more_is_appended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trail");
        std::fs::write(&path, "whole\nhal").unwrap();
        append(&path, &["next".to_owned(), "more".to_owned()]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole\nhal\nnext\nmore\n");
    }
}
