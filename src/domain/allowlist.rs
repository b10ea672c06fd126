//! The addresses a key may be used from.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::net::IpAddr;

/// The bits of IPv6 before an IPv4 address in it, `::ffff:0:0/96`.
const WRAPPING: u8 = 96;

/// Address ranges, sorted and without repetition; empty means anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Allowlist(Vec<IpNet>);

impl Allowlist {
    /// Reads addresses and CIDR ranges.
    ///
    /// # Errors
    /// The first that is neither, or has bits set beyond its prefix: such a range is a slip, and its network is named.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let mut list = Self::default();
        for entry in entries {
            let entry = entry.as_ref();
            list.0.push(parse_range(entry).map_err(|why| format!("'{entry}': {why}"))?);
        }
        list.normalise();
        Ok(list)
    }

    /// Whether an address is allowed. IPv4 in an IPv6 wrapping (`::ffff:a.b.c.d`) counts as IPv4.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.is_empty() || self.0.iter().any(|range| range.contains(&address))
    }

    /// Whether it allows every address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it allows nothing that another list does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let covered = |range: &IpNet| other.0.iter().any(|wider| wider.contains(range));
        other.is_empty() || (!self.is_empty() && self.0.iter().all(covered))
    }

    /// Its ranges.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }

    /// Adds the ranges of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
        self.normalise();
    }

    /// Takes a range off; says whether it was there.
    pub fn remove(&mut self, range: &IpNet) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held != range);
        self.0.len() != before
    }

    /// Its ranges as text, addresses included: `192.0.2.1/32`.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    fn normalise(&mut self) {
        self.0.sort();
        self.0.dedup();
    }
}

impl Serialize for Allowlist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.to_strings())
    }
}

impl<'de> Deserialize<'de> for Allowlist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Reads an address, which is a range of one, or a CIDR range.
///
/// # Errors
/// When it is neither, or has bits set beyond its prefix.
pub fn parse_range(entry: &str) -> Result<IpNet, String> {
    let found = match entry.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => entry
            .parse::<IpNet>()
            .map_err(|_| "expected an address or a CIDR range, such as 10.0.0.0/8 or 2001:db8::/32".to_owned())?,
    };
    if found.addr() != found.network() {
        return Err(format!("the range has bits set beyond its prefix; its network is {}", found.trunc()));
    }
    // Callers are known by their IPv4 address, however it is wrapped: so must the range be, or it would never match.
    if let IpNet::V6(wrapped) = found
        && let (Some(address), Some(prefix)) =
            (wrapped.addr().to_ipv4_mapped(), wrapped.prefix_len().checked_sub(WRAPPING))
    {
        return IpNet::new(address.into(), prefix).map_err(|error| error.to_string());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn permits(entries: &[&str], address: &str) -> bool {
        Allowlist::parse(entries).unwrap().permits(address.parse().unwrap())
    }

    #[test]
    fn ranges_are_ranges_and_not_strings() {
        assert!(permits(&["10.0.0.0/8"], "10.255.3.4"));
        assert!(!permits(&["10.0.0.0/8"], "11.0.0.1"));
        assert!(permits(&["192.0.2.7"], "::ffff:192.0.2.7"));
        for anywhere in ["::ffff:0.0.0.0/96", "::ffff:0:0/96"] {
            assert!(permits(&[anywhere], "192.0.2.7") && permits(&[anywhere], "::ffff:192.0.2.7"));
        }
        assert!(permits(&["::ffff:10.0.0.0/104"], "10.1.2.3") && !permits(&["::ffff:10.0.0.0/104"], "11.1.2.3"));
        assert_eq!(Allowlist::parse(&["::ffff:10.0.0.0/104"]).unwrap().to_strings(), ["10.0.0.0/8"]);
        assert!(permits(&["2001:db8::/32"], "2001:db8:1::1"));
        assert!(!permits(&["2001:db8::/32"], "192.0.2.7"));
        assert!(permits(&[], "192.0.2.7"));
    }

    #[test]
    fn a_list_is_within_another_that_allows_all_of_it() {
        let within =
            |one: &[&str], other: &[&str]| Allowlist::parse(one).unwrap().is_within(&Allowlist::parse(other).unwrap());
        assert!(within(&["10.1.0.0/16"], &["10.0.0.0/8"]) && within(&["192.0.2.1"], &["::ffff:192.0.2.0/120"]));
        assert!(within(&[], &[]) && within(&["10.0.0.0/8"], &[]));
        assert!(!within(&[], &["10.0.0.0/8"]), "anywhere is within nothing narrower");
        assert!(!within(&["10.0.0.0/8"], &["10.1.0.0/16"]) && !within(&["::/0"], &["0.0.0.0/0"]));
    }

    #[test]
    fn a_bad_range_is_refused_at_entry() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "host.example", "10.0.0.0/", "10.0.0.0/-1", "::1/129"] {
            assert!(Allowlist::parse(&[bad]).is_err(), "{bad} was accepted");
        }
        assert!(Allowlist::parse(&["10.1.2.3/8"]).unwrap_err().contains("10.0.0.0/8"));
    }

    proptest! {
        #[test]
        fn an_address_is_in_its_own_range(bits in any::<u32>(), prefix in 0u8..=32) {
            let address = std::net::Ipv4Addr::from(bits);
            let range = ipnet::Ipv4Net::new(address, prefix).unwrap().trunc();
            prop_assert!(Allowlist::parse(&[range.to_string()]).unwrap().permits(IpAddr::V4(address)));
        }

        #[test]
        fn what_is_accepted_reads_back(text in "(?s).{0,50}|[0-9.]{1,15}(/[0-9]{1,3})?|[0-9a-f:]{2,40}(/[0-9]{1,3})?") {
            if let Ok(list) = Allowlist::parse(&[text]) {
                prop_assert_eq!(Allowlist::parse(&list.to_strings()), Ok(list.clone()));
                prop_assert!(list.iter().all(|range| list.permits(range.network())));
            }
        }
    }
}
