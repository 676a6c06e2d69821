//! Translates what a test about a Socket.IO event or its acknowledgement sends.

use crate::json::{Limits, Values};
use crate::version::VersionId;

use super::ast::{ArgumentList, SocketIoTest};
use super::plan::Pair;
use super::{Side, Translated};

/// A test and the plans that it runs against.
pub(super) struct EventTest<'a> {
    pub(super) test: &'a SocketIoTest,
    /// The version in whose words the test names its event.
    pub(super) oldest: VersionId,
    /// The plans for a client version and a backend version.
    pub(super) pair: &'a dyn Fn(VersionId, VersionId) -> &'a Pair,
}

impl<'a> EventTest<'a> {
    /// Translates a list of arguments from one version to another: what the receiver calls the event, and the list;
    /// `None` if it is dropped.
    ///
    /// # Errors
    /// Why that cannot be, in words.
    pub(super) fn translate(
        &self,
        (from, to): (VersionId, VersionId),
        message: &[u8],
        values: &Values,
    ) -> Result<Option<(String, Vec<u8>)>, String> {
        // An acknowledgement goes to the side that sent the event.
        let (sender, receiver) = match self.test.list {
            ArgumentList::Event => (from, to),
            ArgumentList::Ack => (to, from),
        };
        let name = self.name_in(sender)?;
        let side = self.test.side;
        let translated = match (self.pair(sender, receiver).socketio(&self.test.namespace), self.test.list) {
            (None, _) => Ok(Translated::Pass),
            (Some(events), ArgumentList::Event) => {
                events.translate_event(side, name, message, values, Limits::default())
            }
            (Some(events), ArgumentList::Ack) => events.translate_ack(side, name, message, values, Limits::default()),
        };
        Ok(match translated.map_err(|error| error.to_string())? {
            Translated::Dropped(_) => None,
            Translated::Pass => Some((name.to_owned(), message.to_vec())),
            Translated::To { name, arguments, .. } => Some((name, arguments)),
        })
    }

    /// Whether a version calls the event so. An acknowledgement says no name.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub(super) fn check_name(&self, found: &str, version: VersionId) -> Result<(), String> {
        let want = self.name_in(version)?;
        if self.test.list == ArgumentList::Event && found != want {
            return Err(format!("expected the event `{want}`, found `{found}`"));
        }
        Ok(())
    }

    /// The plans between the version of the side that sends the event and the version of the other.
    fn pair(&self, sender: VersionId, receiver: VersionId) -> &'a Pair {
        match self.test.side {
            Side::Client => (self.pair)(sender, receiver),
            Side::Server => (self.pair)(receiver, sender),
        }
    }

    /// What a version calls the event: said of the oldest and perhaps of the newest, and translated to the others.
    pub(super) fn name_in(&self, version: VersionId) -> Result<&'a str, String> {
        let newest = self.test.messages.iter().map(|(version, _)| *version).max();
        match &self.test.new_event {
            Some(name) if Some(version) == newest => return Ok(name),
            _ if version == self.oldest => return Ok(&self.test.event),
            Some(_) | None => {}
        }
        let Some(events) = self.pair(self.oldest, version).socketio(&self.test.namespace) else {
            return Ok(&self.test.event);
        };
        let name = events.name(self.test.side, &self.test.event);
        name.ok_or_else(|| format!("one of the versions does not have the event `{}`", self.test.event))
    }
}
