//! Does an answer take longer when the look-up of a wrong credential is one that a key has?

use super::{
    Done,
    client::{Connection, Route, next, request},
};
use std::time::{Duration, Instant};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET: usize = 43;
const CHECK: usize = 6;
const LOOKUP: usize = 16;

/// Asks with an unknown look-up and with a wrong secret in turn, over one connection.
pub async fn compare(address: &str, keys: &str, seconds: &str) -> Done {
    let keys: Vec<String> = std::fs::read_to_string(keys)?.lines().map(str::to_owned).collect();
    let until = Instant::now() + Duration::from_secs_f64(seconds.parse()?);
    let mut connection = Connection::open(address).await?;
    let mut random = 0x1234_5678_9abc_def1;
    let mut times: [Vec<f64>; 2] = Default::default();
    let mut turn = 0;
    while Instant::now() < until {
        let key = &keys[(next(&mut random) % keys.len() as u64) as usize];
        let kind = turn % 2;
        turn += 1;
        let wrong = altered(key, kind == 0, &mut random);
        let asked = request(Route::Authz, &wrong, "");
        let began = Instant::now();
        let (status, _) = connection.ask(asked.as_bytes()).await?;
        let took = began.elapsed().as_nanos() as f64;
        if status != 401 {
            return Err(format!("a wrong credential was answered with {status}").into());
        }
        times[kind].push(took);
    }
    // The slowest tenth is the scheduler's.
    let [unknown, wrong] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 9 / 10);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (count, mean, variance)
    });
    // Welch's t: beyond 4.5 a difference is taken for real, as in leakage assessment (TVLA).
    let t = (unknown.1 - wrong.1) / (unknown.2 / unknown.0 + wrong.2 / wrong.0).sqrt();
    println!(
        "{}",
        serde_json::json!({
            "each": unknown.0, "unknown_lookup_micros": unknown.1 / 1e3, "wrong_secret_micros": wrong.1 / 1e3, "welch_t": t,
        })
    );
    Ok(())
}

/// A well-formed credential that is not right: with a look-up that nobody has, or another secret for one that a key has.
fn altered(key: &str, unknown: bool, random: &mut u64) -> String {
    let mut draw = |count: usize| (0..count).map(|_| char::from(BASE62[(next(random) % 62) as usize])).collect::<String>();
    let parts: Vec<&str> = key.split('_').collect();
    let [brand, environment, lookup, _] = parts[..] else { return key.to_owned() };
    let lookup = if unknown { draw(LOOKUP) } else { lookup.to_owned() };
    checked(&format!("{brand}_{environment}_{lookup}_{}", draw(SECRET)))
}

/// With its checksum, six digits of base62.
fn checked(body: &str) -> String {
    let mut crc = crc32(body.as_bytes());
    let mut check = [b'0'; CHECK];
    for digit in check.iter_mut().rev() {
        *digit = BASE62[(crc % 62) as usize];
        crc /= 62;
    }
    format!("{body}{}", String::from_utf8_lossy(&check))
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
