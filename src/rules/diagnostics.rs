//! The codes of diagnostics about rule files, but for those of YAML itself (`yaml::code`) and of ops
//! (`rules::lens::code`).

/// A file that has to be there is not, or one is where it does not belong.
pub const LAYOUT: &str = "RL005";
/// A wrong version, or a change in the wrong place.
pub const VERSION: &str = "RL006";
/// A block that is not one block.
pub const BLOCK: &str = "RL007";
/// A wrong path template or status range.
pub const TEMPLATE: &str = "RL008";
/// A test that cannot be read.
pub const TEST: &str = "RL009";
/// An occurrence of a shape that is not one, or a shape that is not there.
pub const SHAPE: &str = "SH001";
/// A shape whose place an op has made unknown, and that a later change needs.
pub const SHAPE_LOST: &str = "SH002";
/// Two changes or frames of one name, or an `after` that names nothing or itself.
pub const ORDER: &str = "RL010";
/// Two changes of one version touch the same place, and nothing says which comes first.
pub const UNORDERED: &str = "CF201";
/// An op on what an earlier op took away.
pub const DANGLING: &str = "CF202";
/// An `add` where an earlier op makes something.
pub const ADDED_AGAIN: &str = "CF203";
/// Two ops write one place.
pub const SAME_PLACE: &str = "CF204";
/// A `move` into the value's own subtree.
pub const OWN_SUBTREE: &str = "CF205";
/// A guard on what its own op changes.
pub const OWN_GUARD: &str = "CF207";
/// An op on a value of another kind than the one that an earlier op makes.
pub const KIND: &str = "CF209";
/// Losses other than those accepted.
pub const LOSS: &str = "LS101";
/// An op that cannot translate what a required member may be.
pub const UNMET: &str = "LS102";
/// A required member of a response that is filled with a value of the rule's own.
pub const INVENTED: &str = "LS103";
/// A version's contract differs from what its changes make of the one before.
pub const UNEXPLAINED: &str = "CV302";
/// A translation does not fit the contract of its version.
pub const CONFORMANCE: &str = "LW106";
/// A call that is hot and dear.
pub const HOT: &str = "PF401";
/// A change that was edited after its release.
pub const EDITED: &str = "HY501";
/// A change that sorts before one that was released.
pub const NOT_LINEAR: &str = "HY502";
/// An open question of a draft.
pub const TODO: &str = "HY503";
/// The member with the empty name where the whole body is meant.
pub const SLASH: &str = "HY504";
/// A lock that is not up to date.
pub const STALE: &str = "HY506";
/// A comment that ignores nothing, or for no reason.
pub const IGNORE: &str = "HY507";
/// Path templates overlap equally.
pub const AMBIGUOUS: &str = "CF208";
/// A block that matches nothing it could change.
pub const UNMATCHED: &str = "CV301";
/// A change edits a shape in some of its places only.
pub const SHAPE_MISSED: &str = "CV303";
/// Success bodies of a call are translated and its errors are not.
pub const ERRORS_UNTRANSLATED: &str = "CV304";
/// What a change says that it cannot translate.
pub const INCOMPATIBLE: &str = "BC101";
/// A version label without quotes that YAML reads as a number.
pub const UNQUOTED_VERSION: &str = "HY505";

/// The findings that a project may give another severity, or ignore on one line: those about rules that could run.
pub const ADJUSTABLE: [&str; 22] = [
    UNORDERED,
    DANGLING,
    ADDED_AGAIN,
    SAME_PLACE,
    OWN_SUBTREE,
    OWN_GUARD,
    KIND,
    LOSS,
    UNMET,
    INVENTED,
    UNMATCHED,
    UNEXPLAINED,
    SHAPE_MISSED,
    ERRORS_UNTRANSLATED,
    INCOMPATIBLE,
    CONFORMANCE,
    HOT,
    EDITED,
    NOT_LINEAR,
    TODO,
    SLASH,
    STALE,
];

/// Those of them that may be about contracts, which are not always looked at.
pub const OF_CONTRACTS: [&str; 4] = [UNMET, INVENTED, UNMATCHED, UNEXPLAINED];

/// More of a message nobody reads, and a value may be as long as its file.
const LONGEST: usize = 240;
/// A help may hold a whole line of a file, which is of no use cut.
const LONGEST_HELP: usize = 500;

/// Shortens what a diagnostic quotes.
pub(crate) fn clip(diagnostic: &mut crate::diagnostic::Diagnostic) {
    shorten(&mut diagnostic.message, LONGEST);
    if let Some(help) = &mut diagnostic.help {
        shorten(help, LONGEST_HELP);
    }
}

fn shorten(text: &mut String, longest: usize) {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
}
