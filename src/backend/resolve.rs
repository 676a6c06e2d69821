//! The addresses of an endpoint's name.
//!
//! Names are asked of the system's resolver, so that they mean what they mean to every other program of the machine:
//! `/etc/hosts`, search domains, and whatever else is configured. It does not say for how long an answer holds. So an
//! endpoint's name is asked for again every [`PERIOD`], off the workers' threads; what holds for longer is in the cache
//! of whom the system asks. A resolver of our own would read how long records live, and know nothing of the rest.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::uri::Authority;
use tokio::net::lookup_host;
use tokio::sync::Mutex;

/// How often a name is asked for again.
pub(super) const PERIOD: Duration = Duration::from_secs(5);
/// Addresses of one name that are used.
const MOST: usize = 32;

/// Where an endpoint is.
#[derive(Debug)]
pub(super) struct Place {
    host: String,
    port: u16,
    /// `None` until the name has been resolved for the first time. They stay when it cannot be any more.
    addresses: ArcSwapOption<Vec<SocketAddr>>,
    /// Held by who asks, so that a rush of requests asks once.
    asking: Mutex<()>,
    turn: AtomicUsize,
    is_name: bool,
}

impl Place {
    /// Of an authority that has a port.
    pub(super) fn new(authority: &Authority) -> Self {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or_default();
        let address = host.parse::<IpAddr>().ok().map(|ip| Arc::new(vec![SocketAddr::new(ip, port)]));
        Self {
            host,
            port,
            is_name: address.is_none(),
            addresses: ArcSwapOption::new(address),
            asking: Mutex::new(()),
            turn: AtomicUsize::new(0),
        }
    }

    /// The host, as a certificate has it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it has a name, which may lead somewhere else tomorrow.
    pub(super) fn is_name(&self) -> bool {
        self.is_name
    }

    /// The addresses in the order in which to try them.
    pub(super) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let known = match self.addresses.load_full() {
            Some(known) => known,
            None => self.first().await?,
        };
        Ok(in_order(&known, self.turn.fetch_add(1, Ordering::Relaxed)))
    }

    async fn first(&self) -> io::Result<Arc<Vec<SocketAddr>>> {
        let _asking = self.asking.lock().await;
        if let Some(known) = self.addresses.load_full() {
            return Ok(known);
        }
        let found = Arc::new(self.look_up().await?);
        self.addresses.store(Some(Arc::clone(&found)));
        Ok(found)
    }

    /// Asks again; whether the answer has changed. Where there is none, what was known stays.
    pub(super) async fn refresh(&self) -> io::Result<bool> {
        let _asking = self.asking.lock().await;
        let found = self.look_up().await?;
        let is_changed = self.addresses.load().as_ref().is_some_and(|known| !is_same(known, &found));
        self.addresses.store(Some(Arc::new(found)));
        Ok(is_changed)
    }

    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        found.truncate(MOST);
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Whether an address is still one of the endpoint's.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        !self.is_name || self.addresses.load().as_ref().is_none_or(|known| known.contains(&address))
    }
}

fn is_same(a: &[SocketAddr], b: &[SocketAddr]) -> bool {
    a.iter().all(|address| b.contains(address)) && b.iter().all(|address| a.contains(address))
}

/// Addresses in the order in which to try them: the families in turn, beginning with that of the first (RFC 8305
/// section 4), and within a family another first one each time, so that connections are spread over them.
fn in_order(addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let family = |is_first: bool| {
        let mut family: Vec<SocketAddr> =
            addresses.iter().filter(|a| (a.is_ipv4() == first.is_ipv4()) == is_first).copied().collect();
        let count = family.len().max(1);
        family.rotate_left(turn % count);
        family
    };
    let (mut own, mut other) = (family(true).into_iter(), family(false).into_iter());
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(own.next());
        ordered.extend(other.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_connections_are_spread() {
        let addresses = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let known = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(in_order(&known, 0), addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(in_order(&known, 4), addresses(&["[::2]:1", "1.1.1.1:1", "[::3]:1", "[::1]:1"]));
        assert_eq!(in_order(&known[3..], 7), known[3..]);
        assert_eq!(in_order(&[], 1), []);
    }

    #[tokio::test]
    async fn an_address_is_known_without_asking() {
        for (authority, want) in [("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:81", "[::1]:81")] {
            let place = Place::new(&authority.parse().unwrap());
            assert_eq!(place.addresses().await.unwrap(), [want.parse().unwrap()]);
            assert!(!place.is_name());
        }
    }

    #[tokio::test]
    async fn what_was_known_stays_when_a_name_is_gone() {
        let place = Place::new(&"gone.invalid:80".parse().unwrap());
        assert!(place.addresses().await.is_err());
        let known = "127.0.0.1:80".parse().unwrap();
        place.addresses.store(Some(Arc::new(vec![known])));
        assert!(place.refresh().await.is_err());
        assert_eq!(place.addresses().await.unwrap(), [known]);
        assert!(place.has(known));
    }
}
