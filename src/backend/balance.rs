//! Picking an endpoint: pure functions of what the endpoints say of themselves and a number.

/// Each in turn, of those that are open.
pub(super) fn round_robin(endpoints: usize, turn: u64, is_open: impl Fn(usize) -> bool) -> Option<usize> {
    let open = (0..endpoints).filter(|&i| is_open(i)).count() as u64;
    let nth = usize::try_from(turn.checked_rem(open)?).ok()?;
    (0..endpoints).filter(|&i| is_open(i)).nth(nth)
}

/// The less loaded of two different endpoints that `random` names; the first of them where they are equal. An endpoint
/// without a load is not open; where both are not, the least loaded of all.
pub(super) fn least_loaded(endpoints: usize, random: u64, load: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    let count = endpoints as u64;
    if count < 2 {
        return load(0).map(|_| 0);
    }
    let first = random % count;
    // One of the others: an offset of 1 to count - 1 never comes back to the first.
    let second = (first + 1 + (random >> 32) % (count - 1)) % count;
    let two = [first, second].map(|i| usize::try_from(i).unwrap_or(0));
    let of_two = two.into_iter().filter_map(|i| Some((load(i)?, i)));
    let least = of_two.reduce(|a, b| if b.0 < a.0 { b } else { a });
    least.or_else(|| (0..endpoints).filter_map(|i| Some((load(i)?, i))).min()).map(|(_, i)| i)
}

/// A number that looks random, for each number another one (splitmix64).
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_robin_visits_all_that_are_open_in_order() {
        let visited = |is_open: [bool; 3]| (0..6).map(|turn| round_robin(3, turn, |i| is_open[i])).collect::<Vec<_>>();
        let all = |indices: [usize; 6]| indices.map(Some).to_vec();
        assert_eq!(visited([true; 3]), all([0, 1, 2, 0, 1, 2]));
        assert_eq!(visited([true, false, true]), all([0, 2, 0, 2, 0, 2]));
        assert_eq!(visited([false; 3]), [None; 6]);
    }

    /// How often each is picked in 3000 turns.
    fn picks(loads: [Option<usize>; 3]) -> [usize; 3] {
        let mut picks = [0; 3];
        for seed in 0..3000 {
            picks[least_loaded(3, mix(seed), |i| loads[i]).unwrap()] += 1;
        }
        picks
    }

    #[test]
    fn the_most_loaded_is_never_picked() {
        assert_eq!(picks([Some(5), Some(9), Some(5)])[1], 0);
    }

    #[test]
    fn equal_loads_are_spread() {
        let picks = picks([Some(1); 3]);
        assert!(picks.iter().all(|&n| n > 800), "{picks:?}");
    }

    #[test]
    fn what_is_not_open_is_not_picked() {
        let both = picks([Some(1), None, Some(1)]);
        assert!(both[1] == 0 && both[0] > 1200 && both[2] > 1200, "{both:?}");
        assert_eq!(picks([None, None, Some(50)]), [0, 0, 3000]);
        assert_eq!(least_loaded(3, 7, |_| None), None);
    }

    #[test]
    fn one_endpoint_is_picked_or_none() {
        assert_eq!(least_loaded(1, u64::MAX, |_| Some(7)), Some(0));
        assert_eq!(least_loaded(1, u64::MAX, |_| None), None);
    }
}
