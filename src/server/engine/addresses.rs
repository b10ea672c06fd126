//! The limit that holds for an address, whichever key it presents: an IPv6 network of 64 bits counts as one address.
//!
//! The memory is bounded: when very many addresses are remembered, further ones share a fixed number of windows.

use super::window::{Standing, Window};
use crate::domain::RateLimit;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

const SHARDS: usize = 64;
/// How many addresses a shard remembers by name.
const MAX_IN_SHARD: usize = 2_048;
/// How many windows of a shard the others share.
const SHARED_IN_SHARD: u64 = 64;

/// The windows of all addresses.
pub(super) struct Addresses {
    limit: RateLimit,
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<Place, Window>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    V4(u32),
    V6(u64),
    Shared(u64),
}

impl Addresses {
    pub(super) fn new(limit: RateLimit) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { limit, hasher: RandomState::new(), shards }
    }

    /// Takes one request of an address.
    pub(super) fn take(&self, ip: IpAddr, now_ms: i64) -> Standing {
        let (mut shard, place) = self.place(ip);
        shard.entry(place).or_default().take(self.limit, 1, now_ms)
    }

    /// Where an address stands that has nothing left; nothing is taken.
    pub(super) fn used_up(&self, ip: IpAddr, now_ms: i64) -> Option<Standing> {
        let (mut shard, place) = self.place(ip);
        let standing = shard.get_mut(&place)?.take(self.limit, 0, now_ms);
        (standing.remaining == 0).then_some(Standing { denied: true, ..standing })
    }

    fn place(&self, ip: IpAddr) -> (MutexGuard<'_, HashMap<Place, Window>>, Place) {
        let mut place = Place::of(ip);
        let hash = self.hasher.hash_one(place);
        let shard = self.shards[(hash as usize) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= MAX_IN_SHARD && !shard.contains_key(&place) {
            place = Place::Shared((hash >> 32) % SHARED_IN_SHARD);
        }
        (shard, place)
    }

    /// How many are remembered.
    pub(super) fn held(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Forgets addresses that were not seen for a whole window.
    pub(super) fn sweep(&self, now_ms: i64) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, window| !window.is_over(self.limit, now_ms));
            if shard.capacity() > 4 * shard.len() + 64 {
                shard.shrink_to_fit();
            }
        }
    }
}

impl Place {
    /// An IPv4 address, or the first 64 bits of an IPv6 one.
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::V4(u32::from(v4)),
            IpAddr::V6(v6) => Self::V6((u128::from(v6) >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(addresses: &Addresses, ip: &str) -> bool {
        !addresses.take(ip.parse().unwrap(), 1_000).denied
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let addresses = Addresses::new(RateLimit { limit: 2, window_seconds: 60 });
        assert!(take(&addresses, "2001:db8::1") && take(&addresses, "2001:db8::ffff:2"));
        assert!(!take(&addresses, "2001:db8::3"));
        assert!(take(&addresses, "2001:db8:0:1::1"));
        assert!(take(&addresses, "192.0.2.1") && take(&addresses, "::ffff:192.0.2.1"));
        assert!(!take(&addresses, "192.0.2.1"));
        assert!(take(&addresses, "192.0.2.2"));
    }

    #[test]
    fn an_address_that_is_looked_at_loses_nothing() {
        let addresses = Addresses::new(RateLimit { limit: 2, window_seconds: 60 });
        let ip = "192.0.2.1".parse().unwrap();
        assert!(addresses.used_up(ip, 1_000).is_none() && take(&addresses, "192.0.2.1"));
        assert!(addresses.used_up(ip, 1_000).is_none() && take(&addresses, "192.0.2.1"));
        assert!(addresses.used_up(ip, 1_000).is_some_and(|standing| standing.free_in_ms > 0));
        assert!(addresses.used_up(ip, 62_000).is_none());
    }

    #[test]
    fn the_memory_is_bounded_and_is_given_back() {
        let addresses = Addresses::new(RateLimit { limit: 800, window_seconds: 60 });
        for number in 0..400_000u32 {
            addresses.take(IpAddr::from(number.to_be_bytes()), 1_000);
        }
        assert!(addresses.held() <= SHARDS * (MAX_IN_SHARD + SHARED_IN_SHARD as usize));
        addresses.sweep(120_000);
        assert_eq!(addresses.held(), 0);
    }
}
