//! Reads ahead over the rest of an object, to learn which members are still to come.

use super::super::program::Object;
use super::super::scanner::{Expected, Skip, Skipper, Syntax, Token, skip_space};

/// A reading ahead over the rest of an object.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) pos: usize,
    place: AheadAt,
    pub(super) name: usize,
    token: Token,
    skipper: Skipper,
}

#[derive(Debug, Clone, Copy)]
enum AheadAt {
    Colon,
    Value,
    After,
    Name,
    InName,
}

/// What reading ahead has found so far.
pub(super) struct Found {
    pub(super) slots: u64,
    pub(super) ended: bool,
}

impl Ahead {
    /// From after a name, in front of its colon.
    pub(super) fn after_name(pos: usize) -> Self {
        Self { pos, place: AheadAt::Colon, name: 0, token: Token::None, skipper: Skipper::default() }
    }

    pub(super) fn run(&mut self, bytes: &[u8], room: usize, object: &Object) -> Result<Found, Syntax> {
        let mut found = Found { slots: 0, ended: false };
        loop {
            if !matches!(self.place, AheadAt::InName | AheadAt::Value) {
                self.pos = skip_space(bytes, self.pos);
            }
            let Some(&byte) = bytes.get(self.pos) else {
                return Ok(found);
            };
            match (self.place, byte) {
                (AheadAt::Colon, b':') => (self.place, self.pos) = (AheadAt::Value, self.pos + 1),
                (AheadAt::Colon, _) => {
                    return Err(Syntax { at: self.pos, expected: Expected::Colon });
                }
                (AheadAt::Value, _) => match self.skipper.run(bytes, self.pos, room)? {
                    Skip::End(end) => (self.place, self.pos) = (AheadAt::After, end),
                    Skip::More => {
                        self.pos = bytes.len();
                        return Ok(found);
                    }
                },
                (AheadAt::After, b',') => (self.place, self.pos) = (AheadAt::Name, self.pos + 1),
                (AheadAt::After, b'}') => {
                    found.ended = true;
                    return Ok(found);
                }
                (AheadAt::After, _) => {
                    return Err(Syntax { at: self.pos, expected: Expected::CommaOrEnd });
                }
                (AheadAt::Name, _) => (self.place, self.name) = (AheadAt::InName, self.pos),
                (AheadAt::InName, _) => {
                    let Some(end) = self.token.name(bytes, self.pos)? else {
                        self.pos = bytes.len();
                        return Ok(found);
                    };
                    if let Some((at, _)) = object.find(&bytes[self.name..end]) {
                        found.slots |= 1 << at;
                    }
                    (self.place, self.pos) = (AheadAt::Colon, end);
                }
            }
        }
    }
}
