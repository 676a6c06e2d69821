//! Events whose acknowledgements have rules and have not come.

use std::collections::BTreeMap;

/// The most that one session remembers in one direction. Acknowledgements may never come.
const MOST: usize = 4096;

/// What is waited for, in one direction.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// The event's name, by namespace and identifier.
    waiting: BTreeMap<(String, u64), String>,
    /// Whether some were forgotten for want of room.
    forgot: bool,
}

/// What is known of an acknowledgement that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is of this event.
    Event(String),
    /// It is of an event without rules.
    Unruled,
    /// It may be of an event that was forgotten.
    Forgotten,
}

impl Acks {
    /// Remembers an event as its sender names it.
    pub(super) fn remember(&mut self, namespace: &str, id: u64, event: String) {
        if self.waiting.len() >= MOST {
            self.waiting.pop_first();
            self.forgot = true;
        }
        self.waiting.insert((namespace.to_owned(), id), event);
    }

    /// Takes what is known of an acknowledgement.
    pub(super) fn take(&mut self, namespace: &str, id: u64) -> Known {
        if self.waiting.is_empty() && !self.forgot {
            return Known::Unruled;
        }
        match self.waiting.remove(&(namespace.to_owned(), id)) {
            Some(event) => Known::Event(event),
            None if self.forgot => Known::Forgotten,
            None => Known::Unruled,
        }
    }

    /// Forgets what is waited for in a namespace that is left.
    pub(super) fn leave(&mut self, namespace: &str) {
        self.waiting.retain(|(of, _), _| of != namespace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_told_apart_by_namespace_and_bounded() {
        let mut acks = Acks::default();
        assert_eq!(acks.take("/", 1), Known::Unruled);
        acks.remember("/", 1, "a".to_owned());
        acks.remember("/b", 1, "b".to_owned());
        assert_eq!(acks.take("/b", 1), Known::Event("b".to_owned()));
        assert_eq!(acks.take("/b", 1), Known::Unruled);
        acks.leave("/");
        assert_eq!(acks.take("/", 1), Known::Unruled);

        for id in 0..u64::try_from(MOST).unwrap() + 2 {
            acks.remember("/", id, "a".to_owned());
        }
        assert_eq!(acks.waiting.len(), MOST);
        assert_eq!(acks.take("/", 0), Known::Forgotten);
        assert_eq!(acks.take("/", 9), Known::Event("a".to_owned()));
    }
}
