//! Runs one comparison of a test about a Socket.IO event or its acknowledgement.

use crate::json::{Limits, Values, same};
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
    /// Translates a list of arguments from one version to another and compares what comes out.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub(super) fn compare(
        &self,
        (from, to): (VersionId, VersionId),
        message: &[u8],
        want: Option<&[u8]>,
        values: &Values,
    ) -> Result<(), String> {
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
        let (found_name, found) = match (translated.map_err(|error| error.to_string())?, want) {
            (Translated::Dropped, None) => return Ok(()),
            (Translated::Dropped, Some(_)) => return Err("expected an event, and it was dropped".to_owned()),
            (_, None) => return Err("expected the event to be dropped, and it was not".to_owned()),
            (Translated::Pass, Some(_)) => (name.to_owned(), message.to_vec()),
            (Translated::To { name, arguments }, Some(_)) => (name, arguments),
        };
        let want_name = self.name_in(to)?;
        if self.test.list == ArgumentList::Event && found_name != want_name {
            return Err(format!("expected the event `{want_name}`, found `{found_name}`"));
        }
        match want {
            Some(want) if !same(&found, want) => {
                Err(format!("expected {}\n   found {}", String::from_utf8_lossy(want), String::from_utf8_lossy(&found)))
            }
            Some(_) | None => Ok(()),
        }
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
