//! The primitive edits that every op lowers to. Each has one direction; there is nothing to invert here.

use std::sync::Arc;

pub use super::literal::Literal;
use super::loss::Loss;
pub use super::renames::Renames;
pub use super::value_edit::{Bound, Case, Empty, Many, Over, ValueEdit};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// A member's name; in an array, an index.
    Key(String),
    /// Every element, or every member's value.
    Any,
}

/// Where an edit runs: any number of tokens from the scope it is in.
pub type Path = Vec<Token>;

/// Names from one object to one below it.
pub type Keys = Vec<String>;

/// An edit, when it runs, and whom to name when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// All must hold in the entry's scope, or it does not run.
    pub guard: Vec<Condition>,
    /// What to do.
    pub edit: Edit,
    /// The change it came from.
    pub change: Option<Arc<str>>,
    /// What it may lose, for those who count it.
    pub losses: Vec<Loss>,
}

/// One condition of a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where to look; a path without wildcards.
    pub path: Keys,
    /// What to find.
    pub test: Test,
}

/// What a condition expects. Literals are JSON texts; equality is that of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One of these.
    In(Vec<Vec<u8>>),
    /// Nothing, or none of these.
    NotIn(Vec<Vec<u8>>),
    /// Something, or nothing.
    Exists(bool),
}

/// The primitive edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Names of members of the objects at `at` change, all at once; places are kept.
    Rename {
        /// The objects.
        at: Path,
        /// Old and new name.
        pairs: Renames,
    },
    /// A member goes elsewhere in the same scope; parents are made, emptied ones taken away.
    Move {
        /// The objects within which it moves.
        scope: Path,
        /// Never empty.
        from: Keys,
        /// Never empty.
        to: Keys,
        /// What to do when something is there already.
        conflict: Occupied,
        /// Whether the document is a partial update (RFC 7396), in which a parent that is null deletes what is in it.
        patch: bool,
    },
    /// A member is added at the end of its object where there is none.
    Put {
        /// The objects within which it is added.
        scope: Path,
        /// Never empty.
        at: Keys,
        /// What is added.
        value: Source,
        /// Whether missing parents are made.
        create: bool,
        /// What to do when the member is there already.
        if_present: Occupied,
    },
    /// A member is taken away.
    Take {
        /// The objects within which it is taken away.
        scope: Path,
        /// Never empty.
        at: Keys,
        /// Whether parents that this empties go too.
        prune: bool,
        /// Whether finding one is a failure.
        refuse: bool,
    },
    /// Each value at `at` becomes another.
    Change {
        /// The values.
        at: Path,
        /// How.
        how: ValueEdit,
    },
    /// The scope becomes a member of a new object.
    Envelope {
        /// The member's name.
        key: String,
        /// What stands beside it.
        with: Vec<(String, Literal)>,
    },
    /// A member of the scope becomes the scope.
    Open {
        /// The member's name.
        key: String,
        /// What to do where there is no such member.
        otherwise: Otherwise,
    },
    /// A member that is missing or null becomes something else.
    Presence {
        /// The objects with the member.
        scope: Path,
        /// Never empty.
        at: Keys,
        /// What becomes of null; [`Source::Absent`]: the member goes.
        null: Option<Source>,
        /// What comes where there is none.
        missing: Option<Source>,
    },
    /// One string becomes two members, in its place.
    Split {
        /// The objects with the member.
        scope: Path,
        /// The member's name.
        key: String,
        /// The two names.
        into: [String; 2],
        /// Where and how.
        how: Boundary,
        /// For values that are no string.
        otherwise: Otherwise,
    },
    /// Two strings become one member, in the place of the first.
    Join {
        /// The objects with the members.
        scope: Path,
        /// The two names.
        from: [String; 2],
        /// The member's name.
        key: String,
        /// What goes between, and what stands for a missing second part.
        how: Boundary,
    },
    /// A value becomes a member of every object at `to`.
    Spread {
        /// From the scope; never empty.
        from: Keys,
        /// The objects.
        to: Path,
        /// The member's name.
        key: String,
        /// Whether it is a failure if there is no such object.
        refuse_empty: bool,
    },
    /// A member of every object at `from` becomes one value.
    Collapse {
        /// The objects.
        from: Path,
        /// The member's name.
        key: String,
        /// From the scope; never empty.
        to: Keys,
        /// Which of the values.
        how: Collapse,
    },
    /// Elements of the arrays at `at` for which all conditions hold go.
    DropElements {
        /// The arrays.
        at: Path,
        /// From the element.
        when: Vec<Condition>,
    },
    /// The whole message goes, if all conditions hold.
    DropMessage {
        /// From the scope.
        when: Vec<Condition>,
    },
    /// Edits within each value at `at`.
    Each {
        /// The scopes.
        at: Path,
        /// In order.
        entries: Vec<Entry>,
    },
    /// Edits within values at `at`, within those that are inside them, and so on.
    Recurse {
        /// Values of one form.
        at: Path,
        /// The form: a position in `nest`.
        form: usize,
        /// Which values to look into, and which to edit.
        nest: Arc<Nest>,
        /// In order.
        entries: Vec<Entry>,
        /// Which of two values comes first if one is inside the other. `nest` is about values that were not edited
        /// yet where the inner ones come first, and about values that were where the outer ones do.
        order: Order,
    },
}

/// Forms of values that are inside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nest {
    /// By number.
    pub forms: Vec<Form>,
}

/// A form of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Whether values of this form are edited.
    pub is_edited: bool,
    /// What is inside a value of this form: where, never empty, and of which form.
    pub inside: Vec<(Path, usize)>,
}

/// Which of two values is edited first if one is inside the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The inner one.
    InnerFirst,
    /// The outer one.
    OuterFirst,
}

/// What to do where a place is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Occupied {
    /// The newcomer wins.
    #[default]
    Replace,
    /// What is there stays.
    Keep,
    /// [`super::Code::Conflict`].
    Fail,
}

/// Where an added value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The rule.
    Literal(Literal),
    /// A copy of another value of the scope; nothing is added where that is missing.
    Copy(Keys),
    /// Nowhere: nothing is added.
    Absent,
    /// Nowhere: adding is a failure.
    Refuse,
}

/// What to do with a value that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Otherwise {
    /// The edit fails.
    #[default]
    Fail,
    /// The value stays.
    Keep,
    /// The member goes.
    Drop,
    /// This JSON text instead.
    Value(Vec<u8>),
}

/// Where one string is two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// What stands between the parts; never empty.
    pub separator: String,
    /// Whether the last separator parts them, not the first.
    pub last: bool,
    /// What the second part is where there is no separator (JSON text); `None`: it is missing.
    pub missing: Option<Vec<u8>>,
    /// Whether the document is a partial update (RFC 7396).
    pub patch: bool,
}

/// Which of several values is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Collapse {
    /// All must be equal.
    #[default]
    Same,
    /// The first.
    First,
    /// The last.
    Last,
    /// The least number.
    Min,
    /// The greatest number.
    Max,
}
