//! Guards that an op makes untrue by running: going down, it would not run.

use crate::diagnostic::Diagnostic;
use crate::json::edit::{Edit, Path, Test, Token, ValueEdit};
use crate::rules::ast::Change;
use crate::rules::lens::{Carried, Effect, Making, Op, Stage};
use crate::rules::{Place, diagnostics as code};

use super::conflicts::quoted;
use super::skeleton::is_in;

/// Reports a guard on what its own op changes, if nothing says what the guard is going down.
pub(super) fn own_guard(change: &Change, op: &Op, diagnostics: &mut Vec<Diagnostic>) {
    if op.guard.is_empty() || op.guard_down.is_some() {
        return;
    }
    let stages = op.stages();
    let Some(first) = stages.first() else { return };
    let changes = |path: &Path, test: &Test| stages.iter().any(|stage| may_change(&stage.effect, path, test));
    let Some((at, _)) = first.guard.iter().find(|(path, test)| changes(path, test)) else { return };
    let place = Place::of_message(at);
    let message = format!("`{}` changes `{place}`, which its own guard looks at", op.lens.name());
    let mut diagnostic = Diagnostic::error(code::OWN_GUARD, &change.file, op.span, message);
    diagnostic.label("going down, the guard sees what the op has made");
    let made = stages.iter().flat_map(|stage| &stage.effect.makes);
    let adds = made.clone().any(|made| made.how == Making::Added && made.at == *at);
    let down: Option<Vec<String>> =
        first.guard.iter().map(|(path, test)| going_down(&stages, path.clone(), test.clone())).collect();
    diagnostic.help(match down {
        _ if adds && first.guard.len() == 1 => {
            "write `where_down: {}` beside it: the member goes in any case".to_owned()
        }
        Some(down) => format!("write `where_down: {{{}}}` beside it", down.join(", ")),
        None => "write `where_down` beside it, with what the guard is to be in the newer version".to_owned(),
    });
    diagnostics.push(diagnostic);
}

/// Whether a condition on a path may hold before the edit and not after it.
fn may_change(effect: &Effect, path: &[Token], test: &Test) -> bool {
    let moves = effect.takes.iter().chain(effect.makes.iter().map(|made| &made.at)).any(|at| is_in(path, at));
    let is_value = !matches!(test, Test::Exists(_));
    let shaped = effect.takes.iter().any(|taken| effect.changes.contains(taken));
    match (moves, shaped) {
        // A value that becomes another in its place is still there.
        (true, true) => is_value,
        (true, false) => true,
        (false, _) => is_value && effect.changes.iter().any(|at| is_in(path, at)),
    }
}

/// The condition as it is after the edits.
fn going_down(stages: &[Stage], mut path: Path, mut test: Test) -> Option<String> {
    for stage in stages {
        if let Edit::Change { how, .. } = stage.edit()
            && stage.effect.changes.contains(&path)
        {
            test = mapped(how, test)?;
        }
        match stage.carry_unguarded(&path) {
            Carried::Same => {}
            Carried::To(to) => path = to,
            Carried::Gone | Carried::Unknown => return None,
        }
    }
    let is_plain = !path.contains(&Token::Any);
    is_plain.then(|| format!("{}: {}", quoted(&Place::of_message(&path)), written(&test)))
}

/// The test on what a `map` makes of the values that it is about.
fn mapped(how: &ValueEdit, test: Test) -> Option<Test> {
    let ValueEdit::Map { pairs, .. } = how else {
        return matches!(test, Test::Exists(_)).then_some(test);
    };
    let new = |value: &Vec<u8>| pairs.iter().find(|(old, _)| crate::json::same(old, value)).map(|(_, new)| new.clone());
    match test {
        Test::In(values) => values.iter().map(new).collect::<Option<Vec<_>>>().map(Test::In),
        Test::NotIn(values) => values.iter().map(new).collect::<Option<Vec<_>>>().map(Test::NotIn),
        Test::Exists(exists) => Some(Test::Exists(exists)),
    }
}

fn written(test: &Test) -> String {
    let list = |values: &[Vec<u8>]| {
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join(", ")
    };
    match test {
        Test::In(values) if values.len() == 1 => list(values),
        Test::In(values) => format!("{{in: [{}]}}", list(values)),
        Test::NotIn(values) => format!("{{not_in: [{}]}}", list(values)),
        Test::Exists(exists) => format!("{{exists: {exists}}}"),
    }
}
