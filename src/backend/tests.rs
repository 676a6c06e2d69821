//! Which endpoints are picked where some, or all, have failed. Time is what the test says it is.

use super::condition::Clock;
use super::*;
use crate::config::{Checks, ClientTls, Endpoint, Host, Protocol, Retries};

/// A backend with two endpoints, and the clock that they go by.
fn backend(balance: Balance, checks: Option<Checks>) -> (Backend, Arc<AtomicU64>) {
    let endpoint = |port| Endpoint { scheme: Scheme::Http, authority: format!("127.0.0.1:{port}").parse().unwrap() };
    let config = BackendConfig {
        name: "b".to_owned(),
        speaks: "1".into(),
        endpoints: [1, 2].map(endpoint).to_vec(),
        balance,
        protocol: Protocol::Auto,
        host: Host::Client,
        checks,
        retries: Retries::default(),
        tls: ClientTls::default(),
    };
    let mut backend = Backend::try_new("a", config, Duration::from_secs(1), 1).unwrap();
    let seconds = Arc::<AtomicU64>::default();
    for endpoint in &mut backend.endpoints {
        Arc::get_mut(endpoint).unwrap().condition.clock = Clock::Set(Arc::clone(&seconds));
    }
    (backend, seconds)
}

fn pick(backend: &Backend) -> Result<Picked, Failure> {
    backend.pick(Worker::all(1).next().unwrap())
}

fn unreachable() -> Failure {
    Failure::new(Side::Backend, Kind::Unreachable, "nobody is there")
}

/// Fails often enough to be ejected.
fn eject(backend: &Backend, index: usize) {
    (0..5).for_each(|_| backend.pick_again(index).failed(&unreachable()));
}

fn seconds(failure: &Failure) -> u16 {
    let Kind::AllEjected(seconds) = failure.kind else { panic!("{failure:?}") };
    seconds
}

#[test]
fn endpoints_that_failed_together_are_tried_one_by_one() {
    for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
        let (backend, clock) = backend(balance, None);
        eject(&backend, 0);
        // As long as there is another, an ejected one is left alone, but for what has failed there.
        clock.fetch_add(2, Ordering::Relaxed);
        assert!((0..10).all(|_| pick(&backend).unwrap().index() == 1));
        assert_eq!([(); 2].map(|()| backend.pick_other(1).map(|other| other.index())), [Some(0), None]);

        clock.fetch_add(1, Ordering::Relaxed);
        eject(&backend, 1);
        // The first has had time, the second has not. Everybody else is told when to come again.
        let tried = pick(&backend).unwrap();
        assert_eq!(tried.index(), 0);
        tried.failed(&unreachable());
        assert_eq!(seconds(&pick(&backend).unwrap_err()), 1);
        clock.fetch_add(1, Ordering::Relaxed);
        let first = pick(&backend).unwrap();
        assert_eq!(backend.pick_other(first.index()).map(|other| other.index()), Some(1));
        assert!(pick(&backend).is_err());

        // The second is back: it has all requests, long before its time is over.
        backend.pick_again(1).answered();
        assert!((0..10).all(|_| pick(&backend).unwrap().index() == 1));
        let states: Vec<(State, u64)> = backend.endpoints().map(|e| (e.state, e.last_resorts)).collect();
        assert_eq!(states, [(State::Ejected, 3), (State::Healthy, 1)]);
    }
}

#[test]
fn what_checks_say_is_believed() {
    let every = Duration::from_secs(5);
    let checks = Checks { path: "/".into(), every, timeout: every, healthy: 1, unhealthy: 1 };
    let (backend, clock) = backend(Balance::RoundRobin, Some(checks));
    let thresholds = health::Thresholds { healthy: 1, unhealthy: 1 };
    for endpoint in &backend.endpoints {
        endpoint.condition.checked(Some(&unreachable()), thresholds);
    }
    clock.fetch_add(60, Ordering::Relaxed);
    assert_eq!(seconds(&pick(&backend).unwrap_err()), 5);
    // One that is up and fails is the only one that is tried.
    backend.endpoints[1].condition.checked(None, thresholds);
    eject(&backend, 1);
    assert_eq!(seconds(&pick(&backend).unwrap_err()), 1);
    clock.fetch_add(1, Ordering::Relaxed);
    assert_eq!(pick(&backend).unwrap().index(), 1);
    assert!(pick(&backend).is_err());
}
