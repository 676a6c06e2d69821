//! The way of a document between two versions: one program, or its ops one after the other.

use std::sync::Arc;

use bytes::Bytes;

use crate::json::edit::{Edit, Entry, ValueEdit};
use crate::json::{self, Code, Conversion, Limits, Program, Values, same, translate};
use crate::rules::ast::QueryArrays;
use crate::rules::head::HeadPlan;
use crate::rules::path::Part;
use crate::rules::socketio;
use crate::rules::stage::{Stage, bodies, by_change, whole};

use super::sent::Sent;

/// The way of one document: the fused program, and the ops that it is made of.
pub(in crate::rules) struct Track<'a> {
    pub(in crate::rules) program: Arc<Program>,
    pub(in crate::rules) stages: Vec<Stage<'a>>,
    pub(in crate::rules) values: Values,
    pub(in crate::rules) form: Form,
}

/// What the documents on a way are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rules) enum Form {
    /// A body, or a message of a socket.
    Body,
    /// A list of arguments: nothing else may come or leave.
    Arguments,
    /// A [whole message](Sent); how its sender and its receiver write several values of one name in a query.
    Message(QueryArrays, QueryArrays),
}

impl Track<'_> {
    /// The translation; `None`: the message is dropped.
    ///
    /// # Errors
    /// In words, as an op fails.
    pub(in crate::rules) fn run(&self, document: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.run_all(std::slice::from_ref(&self.program), document)
    }

    /// Runs programs one after the other.
    fn run_all(&self, programs: &[Arc<Program>], document: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self.form {
            Form::Body => self.run_raw(programs, document),
            Form::Arguments if !socketio::is_list(document) => Err("an event's arguments are a list".to_owned()),
            Form::Arguments => {
                let made = self.run_raw(programs, document)?;
                made.iter().try_for_each(|made| socketio::check_made(made)).map_err(|error| error.to_string())?;
                Ok(made)
            }
            Form::Message(from, to) => {
                let message = Sent::read(document, from).map_err(|error| error.to_string())?;
                let Some(made) = self.run_raw(programs, &message.to_edit())? else { return Ok(None) };
                let made = Sent::read(&made, to).map_err(|error| error.to_string())?;
                if made.has_status() != message.has_status() {
                    return Err("the message has no status".to_owned());
                }
                Ok(Some(made.to_json()))
            }
        }
    }

    /// Runs programs one after the other, whatever comes of it.
    fn run_raw(&self, programs: &[Arc<Program>], document: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let mut document = document.to_vec();
        for program in programs {
            match run(program, &self.values, &document)? {
                Some(next) => document = next,
                None => return Ok(None),
            }
        }
        Ok(Some(document))
    }

    /// What one of its stages makes of a document, whether or not that could be sent; `None`: nothing.
    pub(in crate::rules) fn run_stage(&self, stage: &Stage<'_>, document: &[u8]) -> Option<Vec<u8>> {
        self.run_raw(&[self.fuse(std::slice::from_ref(stage))], document).ok().flatten()
    }

    /// A document as it is when it is sent.
    pub(in crate::rules) fn sent(&self, document: &[u8]) -> Option<Vec<u8>> {
        match self.form {
            Form::Body | Form::Arguments => Some(document.to_vec()),
            Form::Message(from, _) => Sent::read(document, from).ok().map(|message| message.to_json()),
        }
    }

    /// What programs get for a document.
    pub(in crate::rules) fn to_edit(&self, document: &[u8]) -> Option<Vec<u8>> {
        match self.form {
            Form::Body | Form::Arguments => Some(document.to_vec()),
            Form::Message(from, _) => Sent::read(document, from).ok().map(|message| message.to_edit()),
        }
    }

    /// The same way, of whole messages.
    pub(in crate::rules) fn of_messages(self, arrays: (QueryArrays, QueryArrays)) -> Self {
        let form = Form::Message(arrays.0, arrays.1);
        let program = if self.form == form { self.program } else { HeadPlan::fuse(whole(&self.stages)) };
        Self { program, form, ..self }
    }

    pub(in crate::rules) fn is_of_messages(&self) -> bool {
        matches!(self.form, Form::Message(..))
    }

    /// The program of some of its stages.
    fn fuse(&self, stages: &[Stage<'_>]) -> Arc<Program> {
        match self.form {
            Form::Body | Form::Arguments => Arc::new(Program::fuse(bodies(stages))),
            Form::Message(..) => HeadPlan::fuse(whole(stages)),
        }
    }

    /// The edits of its documents.
    fn edits<'s>(&self, stage: &'s Stage<'_>) -> impl Iterator<Item = &'s Entry> {
        let every = self.is_of_messages();
        stage.edits.iter().filter(move |edit| every || edit.part == Part::Body).map(|edit| &edit.entry)
    }

    /// The conversions on the way: two spellings of one value are the same to them.
    pub(in crate::rules) fn conversions(&self) -> Vec<(&Conversion, json::Way)> {
        let mut found = Vec::new();
        for entry in self.stages.iter().flat_map(|stage| self.edits(stage)) {
            conversions(entry, &mut found);
        }
        found
    }

    /// Whether the fused program agrees with its ops and its changes, each run after the other.
    ///
    /// # Errors
    /// Both documents, in words.
    pub(in crate::rules) fn compare_with_parts(&self, document: &[u8]) -> Result<(), String> {
        // A UUID is another one in each run.
        if self.stages.iter().any(Stage::makes_uuids) {
            return Ok(());
        }
        let stages = self.stages.iter().filter(|stage| self.edits(stage).next().is_some());
        let ops: Vec<_> = stages.map(|stage| self.fuse(std::slice::from_ref(stage))).collect();
        let changes: Vec<_> = by_change(&self.stages).into_iter().map(|stages| self.fuse(stages)).collect();
        self.compare_with("op by op", &ops, document)?;
        self.compare_with("change by change", &changes, document)
    }

    fn compare_with(&self, how: &str, programs: &[Arc<Program>], document: &[u8]) -> Result<(), String> {
        let (fused, parts) = (self.run(document), self.run_all(programs, document));
        let agree = match (&fused, &parts) {
            (Ok(Some(fused)), Ok(Some(parts))) => same(fused, parts),
            // Ops that undo each other fuse to nothing, and nothing does not fail.
            (Ok(None), Ok(None)) | (_, Err(_)) => true,
            (Ok(_) | Err(_), Ok(_)) => false,
        };
        if agree { Ok(()) } else { Err(format!("fused {}\n{how} {}", self.told(&fused), self.told(&parts))) }
    }

    fn told(&self, outcome: &Result<Option<Vec<u8>>, String>) -> String {
        match outcome {
            Ok(Some(document)) => format!("gives {}", self.shown(document)),
            Ok(None) => "drops the message".to_owned(),
            Err(error) => format!("fails: {error}"),
        }
    }

    /// A document as it is shown to people.
    pub(in crate::rules) fn shown(&self, document: &[u8]) -> String {
        let message = match self.form {
            Form::Body | Form::Arguments => None,
            Form::Message(from, _) => Sent::read(document, from).ok(),
        };
        let text = message.map(|message| message.shown());
        String::from_utf8_lossy(text.as_deref().unwrap_or(document)).into_owned()
    }
}

fn conversions<'e>(entry: &'e Entry, found: &mut Vec<(&'e Conversion, json::Way)>) {
    match &entry.edit {
        Edit::Change { how: ValueEdit::Convert { conversion, way, .. }, .. } => found.push((conversion, *way)),
        Edit::Each { entries, .. } | Edit::Recurse { entries, .. } => {
            for entry in entries {
                conversions(entry, found);
            }
        }
        _ => {}
    }
}

pub(in crate::rules) fn run(program: &Arc<Program>, values: &Values, body: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match translate(program, values, Limits::default(), Bytes::copy_from_slice(body)) {
        Ok(done) => Ok(Some(done.body)),
        Err(error) if error.code == Code::Dropped => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
