//! Picking an endpoint: pure functions of the loads and a number.

/// Each in turn.
pub(super) fn round_robin(endpoints: usize, turn: usize) -> usize {
    turn % endpoints
}

/// The less loaded of two different endpoints that `random` names; the first of them where they are equal.
pub(super) fn least_loaded(loads: &[usize], random: u64) -> usize {
    let count = loads.len() as u64;
    if count < 2 {
        return 0;
    }
    let first = random % count;
    // One of the others: an offset of 1 to count - 1 never comes back to the first.
    let second = (first + 1 + (random >> 32) % (count - 1)) % count;
    let [first, second] = [first, second].map(|i| usize::try_from(i).unwrap_or(0));
    if loads[second] < loads[first] { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_robin_visits_all_in_order() {
        let visited: Vec<usize> = (0..6).map(|turn| round_robin(3, turn)).collect();
        assert_eq!(visited, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_most_loaded_is_never_picked() {
        for seed in 0..1000_u64 {
            let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            assert_ne!(least_loaded(&[5, 9, 5], random), 1, "seed {seed}");
        }
    }

    #[test]
    fn equal_loads_are_spread() {
        let mut picks = [0; 3];
        for seed in 0..3000_u64 {
            picks[least_loaded(&[1, 1, 1], seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))] += 1;
        }
        assert!(picks.iter().all(|&n| n > 800), "{picks:?}");
    }

    #[test]
    fn one_endpoint_is_always_picked() {
        assert_eq!(least_loaded(&[7], u64::MAX), 0);
    }
}
