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
/// Two changes or frames of one name, or an `after` that names nothing or itself.
pub const ORDER: &str = "RL010";
/// Path templates overlap equally.
pub const AMBIGUOUS: &str = "CF208";
/// A block that matches nothing it could change.
pub const UNMATCHED: &str = "CV301";
/// Success bodies of a call are translated and its errors are not.
pub const ERRORS_UNTRANSLATED: &str = "CV304";
/// A version label without quotes that YAML reads as a number.
pub const UNQUOTED_VERSION: &str = "HY505";

/// More of a message nobody reads, and a value may be as long as its file.
const LONGEST: usize = 240;

/// Shortens what a diagnostic quotes.
pub(crate) fn clip(diagnostic: &mut crate::diagnostic::Diagnostic) {
    for text in [&mut diagnostic.message].into_iter().chain(&mut diagnostic.help) {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
    }
}
