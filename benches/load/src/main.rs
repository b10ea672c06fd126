//! Puts load on a server, and measures what it costs: requests a second, latencies, and the CPU time of the server.
//!
//! `keyward-load bare ADDRESS` is the bare axum handler to compare with: the same routes, and no work behind them.
//! `keyward-load run ADDRESS ROUTE KEYS SECONDS CONNECTIONS [PID]` asks with keys of a file, one a line, chosen uniformly.
//! ROUTE is authz, validate, verify or mixed; KEYWARD_BEARER is the credential for verify.
//! `keyward-load timing ADDRESS KEYS SECONDS` compares an unknown look-up with a wrong secret, asked in turn.
//!
//! Prints one line of JSON. Requests are made up beforehand and answers are barely read, so that the tool is cheaper than
//! what it measures.

mod bare;
mod client;
mod timing;

use client::{Answers, Asks, Route};
use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Clock ticks of /proc: 100 a second on every Linux there is.
const TICKS: f64 = 100.0;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["bare", address] => bare::serve(address).await,
        ["run", address, route, keys, seconds, connections] => run(address, route, keys, seconds, connections, None).await,
        ["run", address, route, keys, seconds, connections, pid] => {
            run(address, route, keys, seconds, connections, Some(pid)).await
        }
        ["timing", address, keys, seconds] => timing::compare(address, keys, seconds).await,
        _ => Err("usage: see the head of benches/load/src/main.rs".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

/// CPU time that a process has used, user and system, in seconds.
fn cpu(pid: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / TICKS)
}

async fn run(address: &str, route: &str, keys: &str, seconds: &str, connections: &str, pid: Option<&str>) -> Done {
    let asks = Arc::new(Asks::read(route.parse::<Route>()?, keys)?);
    let (time, connections) = (Duration::from_secs_f64(seconds.parse()?), connections.parse::<usize>()?);
    let stop = Arc::new(AtomicBool::new(false));
    let (before, began) = (pid.and_then(cpu), Instant::now());
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let (asks, stop, address) = (Arc::clone(&asks), Arc::clone(&stop), address.to_owned());
            tokio::spawn(async move { client::hammer(&address, &asks, &stop, number as u64).await })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = Answers::default();
    for task in tasks {
        all.add(task.await?);
    }
    let (elapsed, after) = (began.elapsed().as_secs_f64(), pid.and_then(cpu));
    let spent = before.zip(after).map(|(before, after)| (after - before) * 1e6 / all.count().max(1) as f64);
    println!("{}", all.report(route, connections, elapsed, spent));
    Ok(())
}
